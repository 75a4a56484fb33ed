##! From samples to messages: gathers samples, sends each message to one worker, settles each flow once.

@load ./workers
@load ./taps
@load ./log

module EACF;

export {
	## A flow was settled: labelled, or counted with a reason.
	##
	## info: Its line of eacf.log.
	##
	## is_open: Whether its connection is still open; a short one is gone by then.
	global classified: event(info: EACF::Info, is_open: bool);

	## What is done about a flow that got a certain label.
	type Action: hook(info: EACF::Info, is_open: bool);

	## By label. ``redef EACF::actions += { ["video"] = my_hook };``
	const actions: table[string] of Action = {} &redef;
}

# Defined in capture.zeek; without effect on live traffic.
global wait_for_room: function();
global go_on_if_room: function();
global end_if_over: function();

# For what comes with the package: classified is an event, and an event with a handler costs more.
global labelled: hook(info: Info);

# One message of samples, until every flow in it is settled.
type Sent: record {
	worker: Worker;
	flows: vector of Flow;
	# Those not settled.
	left: count;
	at: time;
};

# Messages by number, oldest first.
global messages: table[count] of Sent = {};
global first_message = 0;
global next_message = 0;

# Samples that wait for company, with their flows, and since when.
global gathered: vector of Sample = {};
global gathered_flows: vector of Flow = {};
global gathered_since: time = double_to_time(0.0);

# Samples that were complete within the window of gather_time that began then, and whether those of the window before were dense.
global window_since: time = double_to_time(0.0);
global window_flows = 0;
global is_dense = F;

global send_when_due: event();

# Once for each flow: its line is written, whoever waits for it is told.
function settle(f: Flow)
	{
	local info = f$info;
	delete f$info;
	delete pending[info$uid];
	if ( info?$label )
		{
		++account$labelled;
		f$label = info$label;
		f$confidence = info$confidence;
		}
	else
		switch ( info$reason )
			{
			case "abstained": ++account$abstained; break;
			case "refused": ++account$refused; break;
			case "timeout": ++account$timed_out; break;
			case "no_worker": ++account$no_worker; break;
			default: ++account$shed; break;
			}
	write_flow(f, info);
	if ( has_policy && ! capture )
		decide(info, f$is_open);
	event EACF::classified(info, f$is_open);
	if ( info?$label )
		{
		hook labelled(info);
		if ( info$label in actions )
			{
			local action = actions[info$label];
			hook action(info, f$is_open);
			}
		}
	}

function settle_as(f: Flow, reason: string)
	{
	f$info$reason = reason;
	settle(f);
	}

function make_info(c: connection, payload_bytes: count, chunks: count, records: count): Info
	{
	local info = Info($ts=c$start_time, $uid=c$uid, $id=c$id, $payload_bytes=payload_bytes, $chunks=chunks,
	                  $records=records);
	if ( c?$ssl && c$ssl?$server_name )
		info$server_name = c$ssl$server_name;
	++account$collected;
	return info;
	}

# There is no room to collect this connection.
function shed_at_once(c: connection, f: Flow)
	{
	f$info = make_info(c, 0, 0, 0);
	pending[c$uid] = f;
	if ( capture )
		take_place(f$info);
	settle_as(f, "shed");
	}

# Send what has gathered, to one worker in one message, and to the taps.
function send_gathered()
	{
	local n = |gathered|;
	if ( n == 0 )
		return;
	local samples = gathered;
	local flows_of = gathered_flows;
	gathered = vector();
	gathered_flows = vector();
	send_to_taps(samples);

	local w = choose_worker(n);
	if ( w$id == "" || zeek_is_terminating() )
		{
		local why = account$workers > 0 ? "shed" : "no_worker";
		for ( _, f in flows_of )
			settle_as(f, why);
		return;
		}
	# Counted before it is sent: nothing can come back earlier.
	local now = current_time();
	if ( w$unanswered == 0 )
		w$silent_since = now;
	w$unanswered += n;
	w$sent += n;
	++account$messages;
	for ( _, g in flows_of )
		{
		g$worker = w;
		g$message = next_message;
		g$sent_at = now;
		}
	messages[next_message] = Sent($worker=w, $flows=flows_of, $left=n, $at=now);
	++next_message;
	if ( ! Cluster::publish(w$topic, EACF::flows, my_topic, samples) )
		{
		w$unanswered -= n;
		messages[next_message - 1]$left = 0;
		for ( _, h in flows_of )
			settle_as(h, "shed");
		}
	wait_for_room();
	}

event send_when_due()
	{
	if ( |gathered| == 0 )
		return;
	local left = gather_time - ( network_time() - gathered_since );
	if ( left <= 0sec )
		send_gathered();
	else
		schedule left { EACF::send_when_due() };
	}

# The sample is complete, or its connection is over; without any data there is none.
function complete(c: connection, f: Flow)
	{
	f$gathering = F;
	f$wanted = 0;
	--held_flows;
	if ( capture )
		let_go(c);
	local sample: Sample;
	local chunks = 0;
	if ( f?$stream )
		{
		local s = f$stream;
		delete f$stream;
		held_bytes -= |s$payload|;
		chunks = |s$chunks|;
		if ( chunks == 0 )
			return;
		sample = Sample($uid=c$uid, $start=c$start_time, $orig_h=c$id$orig_h, $orig_p=c$id$orig_p, $resp_h=c$id$resp_h,
		                $resp_p=c$id$resp_p, $payload=s$payload, $chunks=s$chunks, $records=f$records);
		}
	else
		{
		--held_records_only;
		if ( stream_wanted && held_records_only == 0 )
			listen();
		if ( f?$ssl_analyzer )
			{
			disable_analyzer(c$id, f$ssl_analyzer);
			delete f$ssl_analyzer;
			}
		if ( |f$records| == 0 )
			return;
		sample = Sample($uid=c$uid, $start=c$start_time, $orig_h=c$id$orig_h, $orig_p=c$id$orig_p, $resp_h=c$id$resp_h,
		                $resp_p=c$id$resp_p, $payload="", $chunks=vector(), $records=f$records);
		}
	f$info = make_info(c, |sample$payload|, chunks, |f$records|);
	if ( f$info?$server_name )
		sample$server_name = f$info$server_name;
	delete f$records;
	pending[c$uid] = f;
	if ( capture )
		take_place(f$info);

	local now = network_time();
	if ( now - window_since >= gather_time )
		{
		is_dense = window_flows >= dense_flows && now - window_since < 2 * gather_time;
		window_since = now;
		window_flows = 0;
		}
	++window_flows;
	if ( |gathered| == 0 )
		gathered_since = now;
	gathered += sample;
	gathered_flows += f;
	if ( ! is_dense || |gathered| >= gather_flows || now - gathered_since >= gather_time )
		send_gathered();
	else if ( |gathered| == 1 )
		schedule gather_time { EACF::send_when_due() };
	}
