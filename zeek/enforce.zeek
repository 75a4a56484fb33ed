##! Agents on gateways (``eacf enforce``): found by their subscription, gone with it. Every agent gets every act, since a connection may pass
##! any of them.

@load base/frameworks/netcontrol
@load ./workers

module EACF;

# Agents by id, with their topics.
global agents: table[string] of string = {};

const agent_prefix = "eacf.enforce.";
const agent_topic = /eacf\.enforce\.[0-9a-f]{12}/;
const max_agents = 64;
const max_acts = 64;
const good_outcomes = set("in place", "exists");

# Of this process, for ids and the topic that agents answer on; empty until the first agent is there.
global process_id = "";
global acts_topic = "";
global next_act = 0;

# What agents were asked for and have not answered.
type Asked: record {
	# Whether it is an act's end that was asked for.
	ends: bool &default=F;
	agents: set[string];
	# Wall clock.
	at: time;
	# Why the last agent refused, and which it was.
	why: string &default="";
	agent: string &default="";
};

# By the act's id, oldest first.
global asked: table[string] of Asked = {} &ordered;

# Acts that are not over, those of NetControl and of open connections: an agent that comes later is asked for them as well, one that was
# started again without its state among them.
type Held: record {
	act: Act;
	# Wall clock.
	until: time;
};

global held_acts: table[string] of Held = {};

# So many of them in a second: agents take a thousand by default, and there are new ones.
const catch_up_acts = 512;

# What is to be said to the agents once the events at hand are handled: one message for all of it.
global acts_to_send: vector of Act = {};
global unacts_to_send: vector of string = {};

# NetControl's rules at the agents, by the act's id, and the ids by that of the rule.
type Drop: record {
	rule: NetControl::Rule;
	state: NetControl::PluginState;
	# Agents that have it in place.
	holders: set[string] &default=set();
};

global drops: table[string] of Drop = {};
global drop_ids: table[string] of string = {};

# Defined in netcontrol.zeek: the agents are a backend; one of its rules is settled, or over.
global activate_plugin: function();
global drop_outcome: function(id: string, outcome: string, why: string, agent: string);
global drop_is_gone: function(id: string, why: string);

# Defined in act.zeek: an act is settled.
global act_outcome: function(id: string, outcome: string, why: string, agent: string);
global watch_acts: function();

global send_acts: event();

event send_acts()
	{
	local new_acts = acts_to_send;
	local ended = unacts_to_send;
	acts_to_send = vector();
	unacts_to_send = vector();
	for ( _, topic in agents )
		{
		local from = 0;
		while ( from < |new_acts| )
			{
			Cluster::publish(topic, EACF::acts, acts_topic, new_acts[from:from + max_acts]);
			from += max_acts;
			}
		from = 0;
		while ( from < |ended| )
			{
			Cluster::publish(topic, EACF::unacts, acts_topic, ended[from:from + max_acts]);
			from += max_acts;
			}
		}
	}

function say_soon()
	{
	if ( |acts_to_send| + |unacts_to_send| == 0 )
		event EACF::send_acts();
	}

function agent_ids(): set[string]
	{
	local ids: set[string] = set();
	for ( id in agents )
		add ids[id];
	return ids;
	}

function make_act_id(): string
	{
	return fmt("%s.%d", process_id, ++next_act);
	}

# There is an agent.
function ask_for(act: Act)
	{
	local now = current_time();
	asked[act$id] = Asked($agents=agent_ids(), $at=now);
	held_acts[act$id] = Held($act=act, $until=now + act$lasts);
	say_soon();
	acts_to_send += act;
	watch_acts();
	}

# Its answer does not matter.
function take_back(id: string)
	{
	if ( |agents| == 0 )
		return;
	say_soon();
	unacts_to_send += id;
	}

# Agents come and go.

# Those that were there before our own subscription had gone round the bus: their answers would not have come.
global early_agents: set[string] = {};
global hears_answers = F;

global catch_up: event(agent: string, ids: vector of string);

# What the others have; its answers settle nothing.
event catch_up(agent: string, ids: vector of string)
	{
	if ( agent !in agents )
		return;
	local now = current_time();
	local some: vector of Act = {};
	for ( _, id in ids[:catch_up_acts] )
		{
		if ( id !in held_acts || held_acts[id]$until <= now || ( id in asked && asked[id]$ends ) )
			next;
		local act = copy(held_acts[id]$act);
		act$lasts = held_acts[id]$until - now;
		some += act;
		}
	local from = 0;
	while ( from < |some| )
		{
		Cluster::publish(agents[agent], EACF::acts, acts_topic, some[from:from + max_acts]);
		from += max_acts;
		}
	if ( |ids| > catch_up_acts )
		schedule 1sec { EACF::catch_up(agent, ids[catch_up_acts:]) };
	}

function add_agent(id: string)
	{
	agents[id] = agent_prefix + id;
	local ids: vector of string = {};
	for ( act_id in held_acts )
		ids += act_id;
	if ( |ids| > 0 )
		event EACF::catch_up(id, ids);
	activate_plugin();
	}

function listen_to_agents()
	{
	if ( process_id != "" || capture || ! hears_agents )
		return;
	process_id = sha256_hash(Cluster::node_id(), current_time())[:12];
	acts_topic = fmt("eacf.enforced.%s.", process_id);
	Cluster::subscribe(acts_topic);
	}

hook bus_subscription(topic: string)
	{
	if ( topic == acts_topic && topic != "" )
		{
		hears_answers = T;
		for ( early in early_agents )
			add_agent(early);
		clear_table(early_agents);
		}
	if ( topic != agent_topic || capture || ! hears_agents )
		return;
	local id = topic[|agent_prefix|:];
	if ( id in agents )
		return;
	if ( |agents| + |early_agents| >= max_agents )
		{
		warn_once(fmt("eacf: more than %d agents of eacf enforce, some are left out", max_agents));
		return;
		}
	listen_to_agents();
	if ( hears_answers )
		add_agent(id);
	else
		add early_agents[id];
	}

# Where there is a policy agents are to be expected.
event zeek_init()
	{
	if ( policy_file != "" )
		listen_to_agents();
	}

# One agent less to wait for, or one answer more.
function answered(id: string, k: Asked, agent: string, outcome: string)
	{
	if ( k$ends )
		{
		if ( |k$agents| > 0 )
			return;
		delete asked[id];
		if ( id in drops )
			drop_is_gone(id, outcome);
		return;
		}
	local why = "";
	if ( outcome !in good_outcomes )
		{
		if ( |k$agents| > 0 )
			return;
		why = k$why;
		if ( k$agent != "" )
			{
			outcome = "refused";
			agent = k$agent;
			}
		}
	delete asked[id];
	if ( id in drops )
		drop_outcome(id, outcome, why, agent);
	else
		act_outcome(id, outcome, why, agent);
	}

hook bus_unsubscription(topic: string)
	{
	if ( topic != agent_topic )
		return;
	local agent = topic[|agent_prefix|:];
	delete early_agents[agent];
	if ( agent !in agents )
		return;
	delete agents[agent];
	for ( _, d in drops )
		delete d$holders[agent];
	local waited_for: vector of string = {};
	for ( id, k in asked )
		if ( agent in k$agents )
			waited_for += id;
	for ( _, each in waited_for )
		{
		delete asked[each]$agents[agent];
		answered(each, asked[each], "", "no agent");
		}
	}

event acted(agent: string, v: vector of Acted)
	{
	if ( agent !in agents )
		return;
	for ( _, a in v )
		{
		if ( a$id !in asked )
			{
			# Ended before its time: NetControl hears of it once no agent has it.
			if ( a$outcome == "gone" && a$id in drops )
				{
				delete drops[a$id]$holders[agent];
				if ( |drops[a$id]$holders| == 0 )
					drop_is_gone(a$id, a?$why ? sub_bytes(a$why, 1, 255) : "gone");
				}
			else if ( a$outcome in good_outcomes && a$id in drops )
				add drops[a$id]$holders[agent];
			next;
			}
		local k = asked[a$id];
		if ( agent !in k$agents )
			{
			if ( a$outcome in good_outcomes && a$id in drops )
				add drops[a$id]$holders[agent];
			next;
			}
		delete k$agents[agent];
		if ( a$outcome !in good_outcomes )
			{
			k$why = a?$why ? sub_bytes(a$why, 1, 255) : ( a$outcome == "gone" ? "taken back before it was in place" : "" );
			k$agent = agent;
			}
		answered(a$id, k, agent, a$outcome);
		}
	}

# What nobody has answered in time is taken back: an agent that is slow does it and undoes it.
function give_up_overdue(now: time)
	{
	local overdue: vector of string = {};
	for ( id, k in asked )
		{
		if ( now - k$at < act_timeout )
			break;
		overdue += id;
		}
	for ( _, each in overdue )
		{
		local a = asked[each];
		if ( ! a$ends )
			take_back(each);
		a$agents = set();
		answered(each, a, "", "no answer");
		}
	}
