##! The agents as a backend of Zeek's NetControl framework, for whatever script asks it to drop a connection or an address; and what any backend
##! says of the rules that the policy asked for.

@load base/frameworks/netcontrol
@load ./enforce

# What it knows, and does not export.
module NetControl;

export {
	## Whether a connection, address or flow is dropped by a rule already.
	global is_dropped: function(e: Entity): bool;

	## Whether there is such a rule.
	global is_rule: function(id: string): bool;
}

function is_dropped(e: Entity): bool
	{
	return [e, DROP] in rule_entities;
	}

function is_rule(id: string): bool
	{
	return id in rules;
	}

module EACF;

export {
	## From the manager of a cluster to the node that asked for a rule: what came of it.
	global rule_outcome: event(rule: string, outcome: string, why: string, agent: string);
}

# NetControl's rules without an end have this one.
const without_end = 365days;

function drop_is_over(id: string)
	{
	delete drop_ids[drops[id]$rule$id];
	delete drops[id];
	delete held_acts[id];
	}

# The message names the agent, or says why there is none; it is read below.
function drop_outcome(id: string, outcome: string, why: string, agent: string)
	{
	local d = drops[id];
	if ( outcome in good_outcomes )
		{
		add d$holders[agent];
		if ( outcome == "in place" )
			event NetControl::rule_added(d$rule, d$state, fmt("agent %s", agent));
		else
			event NetControl::rule_exists(d$rule, d$state, fmt("agent %s", agent));
		return;
		}
	drop_is_over(id);
	event NetControl::rule_error(d$rule, d$state, outcome == "refused" ? why : outcome);
	}

function drop_is_gone(id: string, why: string)
	{
	local d = drops[id];
	drop_is_over(id);
	event NetControl::rule_removed(d$rule, d$state, why);
	}

function plugin_name(state: NetControl::PluginState): string
	{
	return "eacf-enforce";
	}

function plugin_add(state: NetControl::PluginState, r: NetControl::Rule): bool
	{
	if ( |agents| == 0 || |asked| >= max_waiting_acts || r$ty != NetControl::DROP || r$target != NetControl::FORWARD )
		return F;
	local lasts = r?$expire && r$expire > 0sec ? r$expire : without_end;
	local id = make_act_id();
	local act: Act;
	if ( r$entity$ty == NetControl::CONNECTION )
		{
		local c = r$entity$conn;
		act = Act($id=id, $kind="drop", $orig_h=c$orig_h, $orig_p=c$orig_p, $resp_h=c$resp_h, $resp_p=c$resp_p, $width=0,
		          $key="", $lasts=lasts);
		# Of our own policy: its table stands between "eacf:" and the uid.
		if ( r?$location && starts_with(r$location, "eacf: ") )
			act$key = join_string_vec(split_string(r$location, / /)[1:-1], " ");
		}
	else if ( r$entity$ty == NetControl::ADDRESS )
		{
		local a = subnet_to_addr(r$entity$ip);
		act = Act($id=id, $kind="drop_host", $orig_h=a, $orig_p=0/unknown, $resp_h=a, $resp_p=0/unknown,
		          $width=subnet_width(r$entity$ip), $key="", $lasts=lasts);
		}
	else
		return F;
	drops[id] = Drop($rule=r, $state=state);
	drop_ids[r$id] = id;
	ask_for(act);
	return T;
	}

function plugin_remove(state: NetControl::PluginState, r: NetControl::Rule, reason: string): bool
	{
	if ( r$id !in drop_ids )
		return F;
	local id = drop_ids[r$id];
	if ( |agents| == 0 )
		{
		drop_is_gone(id, "no agent");
		return T;
		}
	asked[id] = Asked($ends=T, $agents=agent_ids(), $at=current_time());
	take_back(id);
	watch_acts();
	return T;
	}

# It has no init function: other backends do not wait for us.
global plugin = NetControl::Plugin($name=plugin_name, $can_expire=F, $add_rule=plugin_add, $remove_rule=plugin_remove);
global plugin_is_active = F;

# When the first agent is there.
function activate_plugin()
	{
	if ( ! netcontrol_backend || plugin_is_active )
		return;
	plugin_is_active = T;
	NetControl::activate(NetControl::PluginState($plugin=plugin), netcontrol_priority);
	}

# What NetControl says of our rules. In a cluster the manager hears it, and tells the node that asked, which the rule's id begins with.

event rule_outcome(rule: string, outcome: string, why: string, agent: string)
	{
	act_outcome(rule, outcome, why, agent);
	}

function tell_outcome(r: NetControl::Rule, outcome: string, why: string, agent: string)
	{
	if ( ! r?$location || ! starts_with(r$location, "eacf: ") )
		return;
	act_outcome(r$id, outcome, why, agent);
	if ( Cluster::is_enabled() && Cluster::local_node_type() == Cluster::MANAGER && ":" in r$id )
		Cluster::publish(Cluster::node_topic(split_string1(r$id, /:/)[0]), EACF::rule_outcome, r$id, outcome, why, agent);
	}

function backend(p: NetControl::PluginState, msg: string): string
	{
	return msg == /agent [0-9a-f]{12}/ ? msg[6:] : p$plugin$name(p);
	}

event NetControl::rule_added(r: NetControl::Rule, p: NetControl::PluginState, msg: string)
	{
	tell_outcome(r, "in place", "", backend(p, msg));
	}

event NetControl::rule_exists(r: NetControl::Rule, p: NetControl::PluginState, msg: string)
	{
	tell_outcome(r, "exists", "", backend(p, msg));
	}

event NetControl::rule_error(r: NetControl::Rule, p: NetControl::PluginState, msg: string)
	{
	if ( msg == "no agent" || msg == "no answer" )
		tell_outcome(r, msg, "", "");
	else
		tell_outcome(r, "refused", msg, backend(p, msg));
	}

@if ( Cluster::is_enabled() && Cluster::local_node_type() == Cluster::MANAGER )

# After NetControl's own handler: the node is not told by it if no backend took the rule.
event NetControl::cluster_netcontrol_add_rule(r: NetControl::Rule) &priority=-10
	{
	if ( NetControl::is_rule(r$id) )
		return;
	if ( NetControl::is_dropped(r$entity) )
		tell_outcome(r, "exists", "", "");
	else if ( |agents| == 0 && r$target == NetControl::FORWARD )
		tell_outcome(r, "no agent", "and no other backend of NetControl that takes it", "");
	else
		tell_outcome(r, "refused", "no backend of NetControl takes it", "");
	}

@endif
