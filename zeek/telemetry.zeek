##! The account for Prometheus, by Zeek's telemetry framework (:zeek:see:`Telemetry::metrics_port`). docs/metrics.md is made from this file.
##!
##! Nothing is counted here: what the other scripts count is read when somebody asks.

@load base/frameworks/telemetry
@load ./act
@load ./taps

module EACF;

global info_metric = Telemetry::register_gauge_family(Telemetry::MetricOpts($prefix="eacf_zeek", $name="info", $unit="",
	$label_names=vector("version", "contract"), $help_text="Which package collects; always 1."));
global collected_metric = Telemetry::register_counter_family(Telemetry::MetricOpts($prefix="eacf_zeek", $name="collected", $unit="flows",
	$help_text="Flows of which a sample was complete, or would have been but for a bound: settled + pending."));
global settled_metric = Telemetry::register_counter_family(Telemetry::MetricOpts($prefix="eacf_zeek", $name="settled", $unit="flows",
	$label_names=vector("outcome"), $help_text="Flows by what came of them: labelled, abstained, refused, timed_out, no_worker, shed."));
global pending_metric = Telemetry::register_gauge_family(Telemetry::MetricOpts($prefix="eacf_zeek", $name="pending", $unit="flows",
	$help_text="Flows that are complete and have no verdict yet."));
global pending_limit_metric = Telemetry::register_gauge_family(Telemetry::MetricOpts($prefix="eacf_zeek", $name="pending_limit", $unit="flows",
	$help_text="Flows that may be with workers: EACF::max_unanswered for each that is ready."));
global held_metric = Telemetry::register_gauge_family(Telemetry::MetricOpts($prefix="eacf_zeek", $name="held", $unit="flows",
	$help_text="Samples in the making."));
global held_limit_metric = Telemetry::register_gauge_family(Telemetry::MetricOpts($prefix="eacf_zeek", $name="held_limit", $unit="flows",
	$help_text="Samples that may be in the making (EACF::max_held_flows)."));
global held_bytes_metric = Telemetry::register_gauge_family(Telemetry::MetricOpts($prefix="eacf_zeek", $name="held", $unit="bytes",
	$help_text="Payload in the samples in the making."));
global held_limit_bytes_metric = Telemetry::register_gauge_family(Telemetry::MetricOpts($prefix="eacf_zeek", $name="held_limit", $unit="bytes",
	$help_text="Payload that they may have (EACF::max_held_bytes)."));
global excluded_metric = Telemetry::register_counter_family(Telemetry::MetricOpts($prefix="eacf_zeek", $name="excluded", $unit="connections",
	$help_text="Connections left alone by a setting or a hook."));
global messages_metric = Telemetry::register_counter_family(Telemetry::MetricOpts($prefix="eacf_zeek", $name="sent", $unit="messages",
	$help_text="Messages with samples that were sent to workers."));
global verdicts_metric = Telemetry::register_counter_family(Telemetry::MetricOpts($prefix="eacf_zeek", $name="stray", $unit="verdicts",
	$label_names=vector("kind"), $help_text="Verdicts that changed nothing: unasked, twice, late, stranger, malformed."));
global conn_log_metric = Telemetry::register_counter_family(Telemetry::MetricOpts($prefix="eacf_zeek", $name="unlabelled_conn_log", $unit="lines",
	$label_names=vector("why"), $help_text="Lines of conn.log written before their verdict came: late (the time was over), overflow (too many waited)."));
global workers_metric = Telemetry::register_gauge_family(Telemetry::MetricOpts($prefix="eacf_zeek", $name="workers", $unit="",
	$help_text="Workers that are ready."));
global taps_metric = Telemetry::register_gauge_family(Telemetry::MetricOpts($prefix="eacf_zeek", $name="taps", $unit="",
	$help_text="Taps that hear what is collected."));
global agents_metric = Telemetry::register_gauge_family(Telemetry::MetricOpts($prefix="eacf_zeek", $name="agents", $unit="",
	$help_text="Agents on gateways (eacf enforce) that are there."));
global acts_metric = Telemetry::register_counter_family(Telemetry::MetricOpts($prefix="eacf_zeek", $name="acts", $unit="",
	$label_names=vector("act", "outcome"), $help_text="Acts of the policy, by kind and by what came of them, as in eacf_actions.log."));
global spared_metric = Telemetry::register_counter_family(Telemetry::MetricOpts($prefix="eacf_zeek", $name="spared", $unit="flows",
	$label_names=vector("why"), $help_text="Flows that the policy names and that nothing was done about: left alone (an end of it is to be), unsure (the confidence was not enough)."));
global waiting_metric = Telemetry::register_gauge_family(Telemetry::MetricOpts($prefix="eacf_zeek", $name="waiting", $unit="acts",
	$help_text="Acts that wait for an answer."));
global waiting_limit_metric = Telemetry::register_gauge_family(Telemetry::MetricOpts($prefix="eacf_zeek", $name="waiting_limit", $unit="acts",
	$help_text="Acts that may wait for one (EACF::max_waiting_acts)."));
global policy_acts_metric = Telemetry::register_gauge_family(Telemetry::MetricOpts($prefix="eacf_zeek", $name="policy_acts", $unit="",
	$help_text="1: there is a policy and its mode is act; 0: none, or dry-run."));
global policy_refused_metric = Telemetry::register_gauge_family(Telemetry::MetricOpts($prefix="eacf_zeek", $name="policy_refused", $unit="",
	$help_text="1: the policy's file is refused as it is now, and the policy before it, if any, holds."));

function tell_flows()
	{
	local outcomes = table(["labelled"] = account$labelled, ["abstained"] = account$abstained, ["refused"] = account$refused,
	                       ["timed_out"] = account$timed_out, ["no_worker"] = account$no_worker, ["shed"] = account$shed);
	for ( outcome, n in outcomes )
		Telemetry::counter_family_set(settled_metric, vector(outcome), n + 0.0);
	for ( kind, strays in counted_verdicts() )
		Telemetry::counter_family_set(verdicts_metric, vector(kind), strays + 0.0);
	Telemetry::counter_family_set(conn_log_metric, vector("late"), account$conn_log_late + 0.0);
	Telemetry::counter_family_set(conn_log_metric, vector("overflow"), account$conn_log_overflow + 0.0);
	Telemetry::counter_family_set(collected_metric, vector(), account$collected + 0.0);
	Telemetry::counter_family_set(messages_metric, vector(), account$messages + 0.0);
	Telemetry::counter_family_set(excluded_metric, vector(), account$excluded + 0.0);
	Telemetry::gauge_family_set(pending_metric, vector(), |pending| + 0.0);
	Telemetry::gauge_family_set(pending_limit_metric, vector(), account$workers * max_unanswered + 0.0);
	Telemetry::gauge_family_set(held_metric, vector(), held_flows + 0.0);
	Telemetry::gauge_family_set(held_limit_metric, vector(), max_held_flows + 0.0);
	Telemetry::gauge_family_set(held_bytes_metric, vector(), held_bytes + 0.0);
	Telemetry::gauge_family_set(held_limit_bytes_metric, vector(), max_held_bytes + 0.0);
	Telemetry::gauge_family_set(workers_metric, vector(), account$workers + 0.0);
	Telemetry::gauge_family_set(taps_metric, vector(), |taps| + 0.0);
	}

# All that there may be, also with 0: the first one is then seen as a rise.
function tell_acts()
	{
	for ( _, act in vector("block", "qos", "shunt") )
		for ( _, outcome in vector("dry-run", "in place", "exists", "refused", "no agent", "no answer") )
			{
			local n = [act, outcome] in acts_done ? acts_done[act, outcome] : 0;
			Telemetry::counter_family_set(acts_metric, vector(act, outcome), n + 0.0);
			}
	Telemetry::counter_family_set(spared_metric, vector("left alone"), left_alone + 0.0);
	Telemetry::counter_family_set(spared_metric, vector("unsure"), unsure + 0.0);
	Telemetry::gauge_family_set(waiting_metric, vector(), |waiting| + 0.0);
	Telemetry::gauge_family_set(waiting_limit_metric, vector(), max_waiting_acts + 0.0);
	Telemetry::gauge_family_set(policy_acts_metric, vector(), has_policy && policy$act && ! capture ? 1.0 : 0.0);
	Telemetry::gauge_family_set(policy_refused_metric, vector(), policy_problem_told == "" ? 0.0 : 1.0);
	}

hook Telemetry::sync()
	{
	if ( hears_agents )
		Telemetry::gauge_family_set(agents_metric, vector(), |agents| + 0.0);
	if ( ! active )
		return;
	Telemetry::gauge_family_set(info_metric, vector(package_version, cat(contract_version)), 1.0);
	tell_flows();
	tell_acts();
	}
