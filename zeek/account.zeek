##! What this Zeek process counts. The account closes at every moment:
##! ``collected = labelled + abstained + refused + timed_out + no_worker + shed + pending``.

@load ./flow

module EACF;

export {
	redef enum Log::ID += { STATS_LOG };

	global stats_log_policy: Log::PolicyHook;

	## A line of eacf_stats.log: the account of one Zeek process since its start.
	type Stats: record {
		ts: time &log;
		## Name of the node in its cluster; "zeek" for a standalone one.
		node: string &log;
		## Flows of which a sample was complete, or would have been but for a bound.
		collected: count &log &default=0;
		## What came of them.
		labelled: count &log &default=0;
		abstained: count &log &default=0;
		refused: count &log &default=0;
		timed_out: count &log &default=0;
		no_worker: count &log &default=0;
		shed: count &log &default=0;
		## Complete, and no verdict yet.
		pending: count &log &default=0;
		## Samples in the making.
		held: count &log &default=0;
		## Connections left alone, by a setting or :zeek:see:`EACF::collect_policy`.
		excluded: count &log &default=0;
		## Verdicts that changed nothing: on a flow that nobody asked about,
		unasked: count &log &default=0;
		## on one that had its verdict,
		twice: count &log &default=0;
		## that came after the flow's timeout,
		late: count &log &default=0;
		## from another worker than the one that was asked,
		stranger: count &log &default=0;
		## or with something in it that no verdict may hold.
		malformed: count &log &default=0;
		## Messages with samples that were sent to workers.
		messages: count &log &default=0;
		## Lines of conn.log that were written without their label: the time was over, or too many waited.
		conn_log_late: count &log &default=0;
		conn_log_overflow: count &log &default=0;
		## Workers that are ready.
		workers: count &log &default=0;
	};

	## The account of this process. Read it; do not write to it.
	global account: Stats = Stats($ts=double_to_time(0.0), $node="zeek");
}

# Flows that are complete and not settled: those that wait to be sent, and those that wait for a verdict.
global pending: table[string] of Flow = {};

# Samples in the making, and the payload bytes in them.
global held_flows = 0;
global held_bytes = 0;

# When this process started. Wall clock.
global started: time = double_to_time(0.0);

# Whether this process collects at all: not on a manager, logger or proxy, nor where there is no bus.
global active = F;

# Whether agents on gateways are for this process: the manager of a cluster speaks to them as well, for NetControl.
global hears_agents = F;

# What came of the policy's acts, and the flows about which nothing was done though the policy names them: an end is to be left alone, or
# the confidence was not enough.
global acts_done: table[string, string] of count = {};
global left_alone = 0;
global unsure = 0;

# Of open connections: the act that an agent was asked for.
global qos_acts: table[string] of string = {};

function counted_verdicts(): table[string] of count
	{
	return table(["unasked"] = account$unasked, ["twice"] = account$twice, ["late"] = account$late,
	             ["stranger"] = account$stranger, ["malformed"] = account$malformed);
	}

global write_stats: event();

function log_stats()
	{
	account$ts = network_time();
	account$pending = |pending|;
	account$held = held_flows;
	Log::write(STATS_LOG, copy(account));
	}

event write_stats()
	{
	# When Zeek ends, all timers fire; zeek_done has the last word.
	if ( zeek_is_terminating() )
		return;
	log_stats();
	if ( stats_interval > 0sec )
		schedule stats_interval { EACF::write_stats() };
	}

event zeek_init()
	{
	Log::create_stream(STATS_LOG, Log::Stream($columns=Stats, $path="eacf_stats", $policy=stats_log_policy));
	if ( Cluster::is_enabled() )
		account$node = Cluster::node;
	}
