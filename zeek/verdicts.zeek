##! From verdicts to flows: whatever comes from the bus is checked, and counted by kind where it changes nothing; what is overdue is looked
##! for.

@load ./dispatch

module EACF;

# How often what is overdue is looked for.
const look_interval = 250msec;

# Flows that were settled of late, and those that timed out, in two generations each: to tell what a stray verdict is.
const generation = 5000;
global answered_now: set[string] = {};
global answered_before: set[string] = {};
global timed_out_now: set[string] = {};
global timed_out_before: set[string] = {};

global shed_told = 0;

# Texts from the bus that may go into a log.
global good_texts: set[string] = {};
const max_good_texts = 1000;

# Whether a text from the bus may go into a log: not long, nothing in it that steers a terminal.
function is_good_text(text: string): bool
	{
	if ( text in good_texts )
		return T;
	if ( |text| == 0 || |text| > max_label_length || /[\x00-\x1f\x7f]|\xc2[\x80-\x9f]/ in text )
		return F;
	if ( |good_texts| >= max_good_texts )
		clear_table(good_texts);
	add good_texts[text];
	return T;
	}

function is_good(v: Verdict): bool
	{
	if ( ! is_good_text(v$model) || ! ( v$confidence >= 0.0 && v$confidence <= 1.0 ) )
		return F;
	if ( v?$sni_label && ! is_good_text(v$sni_label) )
		return F;
	if ( v?$label )
		return is_good_text(v$label) && ! v?$reason;
	return v?$reason && ( v$reason == "abstained" || v$reason == "refused" );
	}

# A verdict on no flow that waits.
function count_stray(uid: string)
	{
	if ( uid in timed_out_now || uid in timed_out_before )
		++account$late;
	else if ( uid in answered_now || uid in answered_before )
		++account$twice;
	else
		++account$unasked;
	}

# Messages at the front of which every flow is settled.
function forget_settled()
	{
	while ( first_message < next_message && messages[first_message]$left == 0 )
		{
		delete messages[first_message];
		++first_message;
		}
	}

function age()
	{
	if ( |answered_now| >= generation )
		{
		answered_before = answered_now;
		answered_now = set();
		}
	if ( |timed_out_now| >= generation )
		{
		timed_out_before = timed_out_now;
		timed_out_now = set();
		}
	}

event verdicts(worker: string, v: vector of Verdict)
	{
	if ( ! active )
		return;
	local now = current_time();
	local known = F;
	for ( _, verdict in v )
		{
		if ( verdict$uid !in pending )
			{
			count_stray(verdict$uid);
			next;
			}
		local f = pending[verdict$uid];
		if ( ! f?$worker )
			{
			# Complete, and not even sent: nobody can know of it.
			++account$unasked;
			next;
			}
		local w = f$worker;
		if ( w$id != worker )
			{
			++account$stranger;
			next;
			}
		if ( ! is_good(verdict) )
			{
			++account$malformed;
			next;
			}
		known = T;
		--w$unanswered;
		++w$answered;
		--messages[f$message]$left;
		add answered_now[verdict$uid];
		local info = f$info;
		info$confidence = verdict$confidence;
		info$model = verdict$model;
		info$worker = worker;
		info$latency = now - f$sent_at;
		if ( verdict?$label )
			info$label = verdict$label;
		else
			info$reason = verdict$reason;
		if ( verdict?$sni_label )
			info$sni_label = verdict$sni_label;
		settle(f);
		}
	if ( known || worker in workers )
		heard(worker);
	forget_settled();
	age();
	# Timers stand still while no packet comes, up to packet_source_inactivity_timeout; this is a chance to be in time.
	if ( |gathered| > 0 && ! capture && now - gathered_since >= gather_time )
		send_gathered();
	go_on_if_room();
	end_if_over();
	}

# Flows whose time for a verdict is over, oldest first.
function settle_overdue(now: time)
	{
	local number = first_message;
	while ( number < next_message )
		{
		local sent = messages[number];
		if ( sent$left > 0 )
			{
			if ( now - sent$at < verdict_timeout )
				break;
			for ( _, f in sent$flows )
				if ( f?$info )
					{
					add timed_out_now[f$info$uid];
					--sent$worker$unanswered;
					settle_as(f, "timeout");
					}
			sent$left = 0;
			}
		++number;
		}
	forget_settled();
	age();
	}

function look_after()
	{
	local now = current_time();
	settle_overdue(now);
	watch_workers();
	watch_taps();
	complete_overdue();
	if ( account$shed > shed_told )
		{
		event EACF::flows_shed(account$shed - shed_told);
		shed_told = account$shed;
		}
	go_on_if_room();
	end_if_over();
	}
