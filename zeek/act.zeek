##! What is done about a verdict. Blocking and shunting go through Zeek's NetControl framework, so that whatever backend there is does it; a
##! priority, a DSCP and a rate have no rule there, and go to the agents on gateways. Every act is a line of eacf_actions.log once it is known
##! what came of it.

@load base/frameworks/netcontrol
@load ./netcontrol
@load ./policy-file

module EACF;

export {
	redef enum Log::ID += { ACTIONS_LOG };

	global actions_log_policy: Log::PolicyHook;

	## A line of eacf_actions.log: one act, and the verdict that it follows from.
	type ActionInfo: record {
		## When it was decided.
		ts: time &log;
		uid: string &log;
		id: conn_id &log;
		server_name: string &log &optional;
		## Unset: the model abstained.
		label: string &log &optional;
		confidence: double &log &optional;
		model: string &log &optional;
		worker: string &log &optional;
		## What the server name says by the bundle's label map.
		sni_label: string &log &optional;
		## The policy's table: "label youtube", "group bulk", "unknown", "server name contradicted".
		policy: string &log;
		## block, qos, shunt.
		act: string &log;
		## Name of a priority class.
		priority: string &log &optional;
		dscp: count &log &optional;
		## Bits a second, of all connections under this table together.
		rate: count &log &optional;
		## When it ends by itself.
		until: time &log;
		## dry-run, in place, exists (the same was there already), refused (*why* says), no agent, no answer.
		outcome: string &log &optional;
		why: string &log &optional;
		## Id of NetControl's rule, or of the act.
		rule: string &log &optional;
		## Who said so: an agent's id, or the name of another backend of NetControl.
		agent: string &log &optional;
		## From the verdict to the outcome, by the wall clock.
		latency: interval &log &optional;
	};
}

# An act of which it is not known what came of it.
type Waiting: record {
	line: ActionInfo;
	# Answers to come: two of a shunt, which are two rules.
	left: count &default=1;
	# Wall clock.
	since: time;
};

# By id of NetControl's rule or of the act, oldest first.
global waiting: table[string] of Waiting = {} &ordered;

const no_table = PolicyTable($name="", $confidence=0.0);
const watch_interval = 500msec;
global acts_are_watched = F;

function write_action(line: ActionInfo, outcome: string, why: string)
	{
	line$outcome = outcome;
	if ( why != "" )
		line$why = why;
	if ( [line$act, outcome] !in acts_done )
		acts_done[line$act, outcome] = 0;
	++acts_done[line$act, outcome];
	Log::write(ACTIONS_LOG, line);
	}

# What came of an act, from an agent, a backend of NetControl, or the clock.
function act_outcome(id: string, outcome: string, why: string, agent: string)
	{
	if ( id !in waiting )
		return;
	local w = waiting[id];
	delete waiting[id];
	local came_good = outcome in good_outcomes;
	if ( ! came_good && w$line$act == "qos" )
		{
		delete qos_acts[w$line$uid];
		delete held_acts[id];
		}
	if ( w$left == 0 || ( came_good && --w$left > 0 ) )
		return;
	w$left = 0;
	if ( agent != "" )
		w$line$agent = agent;
	local took = current_time() - w$since;
	# A wall clock may be set back.
	w$line$latency = took < 0sec ? 0sec : took;
	write_action(w$line, outcome, why);
	}

# Which table of the policy is for this flow; its name is empty if none is.
function choose_table(info: Info): PolicyTable
	{
	if ( ! info?$label )
		return info$reason == "abstained" && policy?$unknown ? policy$unknown : no_table;
	if ( policy?$contradicted && info?$sni_label && info$sni_label != info$label && info$confidence >= policy$contradicted$confidence
	     && info?$server_name && info$server_name !in ech_public_names )
		return policy$contradicted;
	if ( info$label !in policy$labels )
		return no_table;
	local t = policy$labels[info$label];
	if ( info$confidence >= t$confidence )
		return t;
	++unsure;
	return no_table;
	}

function make_line(info: Info, t: PolicyTable, act: string): ActionInfo
	{
	local now = network_time();
	local line = ActionInfo($ts=now, $uid=info$uid, $id=info$id, $policy=t$name, $act=act, $until=now + t$lasts);
	if ( info?$server_name )
		line$server_name = info$server_name;
	if ( info?$label )
		line$label = info$label;
	if ( info?$confidence )
		line$confidence = info$confidence;
	if ( info?$model )
		line$model = info$model;
	if ( info?$worker )
		line$worker = info$worker;
	if ( info?$sni_label )
		line$sni_label = info$sni_label;
	if ( act == "qos" )
		{
		if ( t?$priority )
			line$priority = t$priority;
		if ( t?$dscp )
			line$dscp = t$dscp;
		if ( t?$rate )
			line$rate = t$rate;
		}
	return line;
	}

# The act is with NetControl or with the agents.
function wait_for(id: string, w: Waiting)
	{
	if ( ! w$line?$rule )
		w$line$rule = id;
	waiting[id] = w;
	watch_acts();
	}

function ask_for_qos(line: ActionInfo, t: PolicyTable)
	{
	if ( |agents| == 0 )
		{
		write_action(line, "no agent", "");
		return;
		}
	local act = Act($id=make_act_id(), $kind="qos", $orig_h=line$id$orig_h, $orig_p=line$id$orig_p, $resp_h=line$id$resp_h,
	                $resp_p=line$id$resp_p, $width=0, $key=t$name, $lasts=t$lasts);
	if ( t?$priority )
		act$priority = t$priority;
	if ( t?$dscp )
		act$dscp = t$dscp;
	if ( t?$rate )
		act$rate = t$rate;
	qos_acts[line$uid] = act$id;
	wait_for(act$id, Waiting($line=line, $since=current_time()));
	ask_for(act);
	}

# NetControl gave no id: why that may be.
function refused_by_netcontrol(line: ActionInfo)
	{
	if ( line$act == "block" && |agents| == 0 )
		write_action(line, "no agent", "and no other backend of NetControl that takes it");
	else
		write_action(line, "refused", "no backend of NetControl takes it");
	}

function ask_for_block(line: ActionInfo, t: PolicyTable)
	{
	if ( NetControl::is_dropped(NetControl::Entity($ty=NetControl::CONNECTION, $conn=line$id)) )
		{
		write_action(line, "exists", "");
		return;
		}
	local rule = NetControl::drop_connection(line$id, t$lasts, fmt("eacf: %s %s", t$name, line$uid));
	if ( rule == "" )
		refused_by_netcontrol(line);
	else
		wait_for(rule, Waiting($line=line, $since=current_time()));
	}

# One of a shunt's two rules, and its id; empty: there is one already, or NetControl takes it not.
function shunt_half(src_h: addr, src_p: port, dst_h: addr, dst_p: port, lasts: interval, location: string): string
	{
	return NetControl::shunt_flow(flow_id($src_h=src_h, $src_p=src_p, $dst_h=dst_h, $dst_p=dst_p), lasts, location);
	}

function is_shunted(src_h: addr, src_p: port, dst_h: addr, dst_p: port): bool
	{
	local half = NetControl::Flow($src_h=addr_to_subnet(src_h), $src_p=src_p, $dst_h=addr_to_subnet(dst_h), $dst_p=dst_p);
	return NetControl::is_dropped(NetControl::Entity($ty=NetControl::FLOW, $flow=half));
	}

global undo_rule: event(rule: string);

event undo_rule(rule: string)
	{
	NetControl::remove_rule(rule, "the other half of this shunt is refused");
	}

function ask_for_shunt(line: ActionInfo, t: PolicyTable)
	{
	local c = line$id;
	local location = fmt("eacf: %s %s", t$name, line$uid);
	local rules: vector of string = {};
	if ( ! is_shunted(c$orig_h, c$orig_p, c$resp_h, c$resp_p) )
		rules += shunt_half(c$orig_h, c$orig_p, c$resp_h, c$resp_p, t$lasts, location);
	if ( ( |rules| == 0 || rules[0] != "" ) && ! is_shunted(c$resp_h, c$resp_p, c$orig_h, c$orig_p) )
		rules += shunt_half(c$resp_h, c$resp_p, c$orig_h, c$orig_p, t$lasts, location);
	if ( |rules| == 0 )
		{
		write_action(line, "exists", "");
		return;
		}
	if ( rules[|rules| - 1] == "" )
		{
		refused_by_netcontrol(line);
		# Once its backend has had time to put it in place: NetControl removes no rule before.
		if ( rules[0] != "" )
			schedule act_timeout { EACF::undo_rule(rules[0]) };
		return;
		}
	local w = Waiting($line=line, $left=|rules|, $since=current_time());
	for ( _, rule in rules )
		wait_for(rule, w);
	}

# What the policy says of a settled flow is done.
function decide(info: Info, is_open: bool)
	{
	local t = choose_table(info);
	if ( t$name == "" )
		return;
	if ( |policy$leave_alone| > 0 && ( info$id$orig_h in policy$leave_alone || info$id$resp_h in policy$leave_alone ) )
		{
		++left_alone;
		return;
		}
	local todo: vector of ActionInfo = {};
	if ( t$block )
		todo += make_line(info, t, "block");
	if ( t?$priority || t?$dscp || t?$rate )
		todo += make_line(info, t, "qos");
	if ( t$shunt )
		todo += make_line(info, t, "shunt");
	for ( _, line in todo )
		if ( capture || ! policy$act )
			write_action(line, "dry-run", "");
		else if ( ! is_open )
			write_action(line, "refused", "the connection is over");
		else if ( |waiting| >= max_waiting_acts )
			write_action(line, "refused", "too many acts wait for an answer");
		else
			switch ( line$act )
				{
				case "block": ask_for_block(line, t); break;
				case "qos": ask_for_qos(line, t); break;
				case "shunt": ask_for_shunt(line, t); break;
				}
	}

# The connection is over. When Zeek ends, it is not: its act stays until its time is over.
function end_qos(uid: string)
	{
	if ( ! zeek_is_terminating() )
		take_back(qos_acts[uid]);
	delete held_acts[qos_acts[uid]];
	delete qos_acts[uid];
	}

# What is waited for too long. Rules of NetControl have somewhat longer: it is told by then what came of those at the agents.
function give_up_waiting(now: time)
	{
	local overdue: vector of string = {};
	for ( id, w in waiting )
		{
		if ( now - w$since < act_timeout + 1sec )
			break;
		overdue += id;
		}
	for ( _, each in overdue )
		act_outcome(each, "no answer", "", "");
	}

global look_at_acts: event();

event look_at_acts()
	{
	acts_are_watched = F;
	give_up_overdue(current_time());
	give_up_waiting(current_time());
	watch_acts();
	}

# Only while something is waited for.
function watch_acts()
	{
	if ( acts_are_watched || ( |asked| == 0 && |waiting| == 0 ) || zeek_is_terminating() )
		return;
	acts_are_watched = T;
	schedule watch_interval { EACF::look_at_acts() };
	}

event zeek_init()
	{
	Log::create_stream(ACTIONS_LOG, Log::Stream($columns=ActionInfo, $path="eacf_actions", $policy=actions_log_policy));
	}

# Before the streams are closed.
event zeek_done() &priority=-5
	{
	for ( _, w in waiting )
		if ( w$left > 0 )
			{
			w$left = 0;
			write_action(w$line, "no answer", "Zeek has ended");
			}
	clear_table(waiting);
	}
