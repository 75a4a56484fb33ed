##! eacf: names the application behind a TLS connection. See README.md.
##!
##! Reading order: types, options, bus; flow, account; collect (connections to samples), workers, taps, dispatch (samples to messages), verdicts,
##! log, policy and act (what is done about a verdict), enforce (who does it), capture, status, telemetry. notices stands apart and only listens.

@load ./types
@load ./options
@load ./bus
@load ./collect
@load ./dispatch
@load ./verdicts
@load ./act
@load ./capture
@load ./status
@load ./telemetry

module EACF;

global look: event();

event look()
	{
	look_after();
	schedule look_interval { EACF::look() };
	}

event zeek_init() &priority=5
	{
	started = current_time();
	active = ! Cluster::is_enabled() || Cluster::local_node_type() == Cluster::WORKER;
	local problem = bus_problem();
	if ( problem != "" )
		{
		if ( active || Cluster::local_node_type() == Cluster::MANAGER )
			Reporter::warning(fmt("eacf: %s", problem));
		active = F;
		}
	hears_agents = active || ( problem == "" && Cluster::local_node_type() == Cluster::MANAGER );
	set_needs(copy(default_needs));
	# The manager of a cluster collects nothing, and hears of alarms (notices.zeek).
	if ( problem == "" && Cluster::is_enabled() && Cluster::local_node_type() == Cluster::MANAGER )
		Cluster::subscribe(zeek_topic);
	if ( ! active )
		return;
	node_id = make_node_id();
	my_topic = fmt("eacf.verdict.%s.", node_id);
	Cluster::subscribe(my_topic);
	Cluster::subscribe(zeek_topic);
	Cluster::subscribe("eacf.control.request.");
	schedule look_interval { EACF::look() };
	}

# Not in zeek_init: network time jumps with the first packet, and what was scheduled before fires at once.
event network_time_init()
	{
	# Of a capture the account at its end is enough; those on the way depend on how fast the worker is.
	if ( active && stats_interval > 0sec && ! capture )
		schedule stats_interval { EACF::write_stats() };
	}

# What is still open when Zeek ends: samples that were never sent are shed, flows without a verdict have run out of time.
event zeek_done() &priority=-10
	{
	if ( ! active )
		return;
	for ( _, f in gathered_flows )
		settle_as(f, "shed");
	gathered = vector();
	gathered_flows = vector();
	local left: vector of Flow = {};
	for ( _, g in pending )
		left += g;
	for ( _, h in left )
		settle_as(h, "timeout");
	log_stats();
	}
