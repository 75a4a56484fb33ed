##! Answers ``eacf status`` and ``eacf doctor`` over the bus, as a worker does.

@load ./act
@load ./verdicts

module EACF;

const reply_topic = /eacf\.control\.reply\.[0-9a-f]{12}\./;

# Reports are made so often at most, however often they are asked for.
const status_pause = 50msec;

global last_status: time = double_to_time(0.0);

type WorkerStatus: record {
	worker: string;
	model: string &optional;
	state: string;
	unanswered: count;
	sent: count;
	answered: count;
};

type TapStatus: record {
	tap: string;
	state: string;
	sent: count;
	received: count;
	lost: count;
	skipped: count;
};

# What the policy did.
type ActsStatus: record {
	# dry-run or act; unset: there is no policy.
	mode: string &optional;
	policy_file: string;
	# Why the file is refused that is there now; unset: it is not.
	problem: string &optional;
	agents: vector of string;
	waiting: count;
	left_alone: count;
	unsure: count;
	# By act and outcome: "block in place".
	done: table[string] of count;
};

type Delayed: record {
	conn_log_waiting: int;
	conn_log_late: count;
	conn_log_overflow: count;
};

type Status: record {
	kind: string &default="zeek";
	node: string;
	package: string;
	contract: count;
	zeek: string;
	backend: string;
	mode: string;
	cluster_node: string;
	up_s: double;
	network_time: double;
	wall_time: double;
	needs: Needs;
	max_payload: count;
	collected: count;
	labelled: count;
	abstained: count;
	refused: count;
	timed_out: count;
	no_worker: count;
	shed: count;
	pending: count;
	held: count;
	excluded: count;
	verdicts: table[string] of count;
	delayed: Delayed;
	workers: vector of WorkerStatus;
	taps: vector of TapStatus;
	acts: ActsStatus;
};

function acts_status(): ActsStatus
	{
	local a = ActsStatus($policy_file=policy_file, $agents=vector(), $waiting=|waiting|, $left_alone=left_alone, $unsure=unsure,
	                     $done=table());
	if ( has_policy )
		a$mode = policy$act && ! capture ? "act" : "dry-run";
	if ( policy_problem_told != "" )
		a$problem = policy_problem_told;
	for ( id in agents )
		a$agents += id;
	for ( [act, outcome], n in acts_done )
		a$done[fmt("%s %s", act, outcome)] = n;
	return a;
	}

function status(): Status
	{
	local of_workers: vector of WorkerStatus = {};
	for ( id, w in workers )
		{
		local ws = WorkerStatus($worker=id, $state=w$state, $unanswered=w$unanswered, $sent=w$sent, $answered=w$answered);
		if ( w?$model )
			ws$model = w$model;
		of_workers += ws;
		}
	local of_taps: vector of TapStatus = {};
	for ( tap_id, t in taps )
		of_taps += TapStatus($tap=tap_id, $state=t$state, $sent=t$sent, $received=t$received, $lost=t$lost, $skipped=t$skipped);
	return Status($node=node_id, $package=package_version, $contract=contract_version, $zeek=zeek_version(),
	              $backend=backend_name(), $mode=capture ? "capture" : "live", $cluster_node=Cluster::node,
	              $up_s=interval_to_double(current_time() - started), $network_time=time_to_double(network_time()),
	              $wall_time=time_to_double(current_time()), $needs=needs, $max_payload=max_payload,
	              $collected=account$collected, $labelled=account$labelled, $abstained=account$abstained,
	              $refused=account$refused, $timed_out=account$timed_out, $no_worker=account$no_worker, $shed=account$shed,
	              $pending=|pending|, $held=held_flows, $excluded=account$excluded, $verdicts=counted_verdicts(),
	              $delayed=Delayed($conn_log_waiting=Log::get_delay_queue_size(Conn::LOG),
	                               $conn_log_late=account$conn_log_late, $conn_log_overflow=account$conn_log_overflow),
	              $workers=of_workers, $taps=of_taps, $acts=acts_status());
	}

event status_request(reply_to: string)
	{
	if ( ! active || reply_to != reply_topic || current_time() - last_status < status_pause )
		return;
	last_status = current_time();
	Cluster::publish(reply_to, EACF::status_reply, node_id, to_json(status()));
	}
