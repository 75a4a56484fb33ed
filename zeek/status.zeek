##! Answers ``eacf status`` and ``eacf doctor`` over the bus, as a worker does.

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
};

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
	              $workers=of_workers, $taps=of_taps);
	}

event status_request(reply_to: string)
	{
	if ( ! active || reply_to != reply_topic || current_time() - last_status < status_pause )
		return;
	last_status = current_time();
	Cluster::publish(reply_to, EACF::status_reply, node_id, to_json(status()));
	}
