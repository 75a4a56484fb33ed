##! A capture (``zeek -r``): packets wait for a worker before the first and while too many flows are unanswered, every flow gets
##! its verdict and every line is written, and Zeek ends by itself.
##!
##! A capture's clock is its packets', and it stands still while they wait. What is to happen after some real time is looked for
##! each time that a subscription of our own has gone round the bus, and only while something is waited for. A round takes a millisecond and
##! some CPU time, so after the first few there is a pause before each, in which this process sleeps.

@load ./policy-file
@load ./verdicts

module EACF;

# Flows sent and not answered, from which on packets wait, and with which they go on. A worker's queue takes 4,096 by default.
const room_flows = 2048;
const go_on_flows = 1024;

# Rounds without a pause before them, and the pause before the others. Verdicts that come meanwhile are handled after it.
const quick_rounds = 5;
const pause = 20msec;

# Why packets wait; empty: they do not.
global waits_for = "";
global capture_is_over = F;

# Flows in the making, oldest first, to send them when the capture is over.
global in_the_making: table[string] of connection = {} &ordered;

# The subscription that goes round, and when what is overdue was last looked for. Wall clock.
global round_topic = "";
global rounds = 0;
global rounds_now = 0;
global last_look: time = double_to_time(0.0);

# When waiting for a worker is over.
global give_up_at: time = double_to_time(0.0);

function is_waiting(): bool
	{
	return waits_for != "" || ( capture_is_over && |pending| > 0 );
	}

function go_round()
	{
	++rounds;
	++rounds_now;
	if ( rounds_now > quick_rounds )
		sleep(pause);
	round_topic = fmt("eacf.round.%d.", rounds);
	Cluster::subscribe(round_topic);
	}

function begin_rounds()
	{
	rounds_now = 0;
	if ( round_topic == "" )
		go_round();
	}

function wait(what: string)
	{
	if ( waits_for != "" )
		return;
	waits_for = what;
	suspend_processing();
	begin_rounds();
	}

function go_on()
	{
	if ( waits_for == "" )
		return;
	waits_for = "";
	continue_processing();
	}

function hold(c: connection)
	{
	in_the_making[c$uid] = c;
	}

function let_go(c: connection)
	{
	delete in_the_making[c$uid];
	}

function wait_for_room()
	{
	if ( capture && ! capture_is_over && |pending| >= room_flows )
		wait("room");
	}

function go_on_if_room()
	{
	if ( waits_for == "room" && |pending| <= go_on_flows )
		go_on();
	}

function end_if_over()
	{
	if ( capture_is_over && |pending| == 0 )
		terminate();
	}

event worker_up(worker: string, model: string)
	{
	if ( waits_for != "a worker" )
		return;
	if ( policy_is_awaited )
		waits_for = "the policy";
	else
		go_on();
	}

function policy_is_in()
	{
	if ( waits_for == "the policy" )
		go_on();
	}

hook bus_subscription(topic: string)
	{
	if ( round_topic == "" || topic != round_topic )
		return;
	Cluster::unsubscribe(topic);
	round_topic = "";
	local now = current_time();
	if ( waits_for == "a worker" )
		{
		if ( capture_wait > 0sec && now >= give_up_at )
			{
			Reporter::warning(fmt("eacf: no worker came within %s (EACF::capture_wait); going on without labels. Remedy: eacf worker --subscribe-endpoint %s --publish-endpoint %s",
			                      capture_wait, subscribe_endpoint(), publish_endpoint()));
			go_on();
			}
		}
	else if ( now - last_look > look_interval )
		{
		last_look = now;
		look_after();
		}
	if ( is_waiting() )
		go_round();
	}

# What is open goes out now: what Zeek ends by itself when it terminates would be too late to be answered.
event Pcap::file_done(path: string)
	{
	if ( ! capture || ! active )
		return;
	local still_open: vector of connection = {};
	for ( _, c in in_the_making )
		still_open += c;
	for ( _, d in still_open )
		if ( d$eacf$gathering )
			complete(d, d$eacf);
	send_gathered();
	capture_is_over = T;
	last_look = current_time();
	end_if_over();
	if ( is_waiting() )
		begin_rounds();
	}

event zeek_init() &priority=-10
	{
	if ( ! capture || ! active )
		return;
	give_up_at = current_time() + capture_wait;
	wait("a worker");
	}
