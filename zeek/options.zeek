##! Every setting of the package, with unit, default and reason.
##!
##! An *option* can be changed while Zeek runs (configuration framework, :zeek:see:`Config::set_value`); a *const* with
##! ``&redef`` is fixed when Zeek starts.
##!
##! Overload Behavior
##!
##! Nothing here waits, and everything that grows has a bound. A flow that finds a bound reached is *shed*: it has a line
##! in eacf.log with that reason and a place in the account
##! (``collected = labelled + abstained + refused + timed_out + no_worker + shed + pending``).
##!
##! - Samples in the making: :zeek:see:`EACF::max_held_flows` and :zeek:see:`EACF::max_held_bytes`. When full, new connections are
##!   not collected: shed.
##! - Samples complete and not yet sent: :zeek:see:`EACF::gather_flows`, sent at once when reached.
##! - Flows sent to one worker and not yet answered: :zeek:see:`EACF::max_unanswered`. When every worker is at it: shed. This also
##!   keeps Zeek's own socket (1,000 messages, ``zeek_cluster_zeromq_xpub_drops_total``) from filling, so that one
##!   worker that hangs costs the others nothing.
##! - Verdicts on their way in: Zeek's own queue (``Cluster::Backend::ZeroMQ::onloop_queue_hwm``, 10,000 messages,
##!   ``zeek_cluster_zeromq_onloop_drops_total``). What is dropped there ends as *timeout*.
##! - Lines of conn.log that wait for a verdict: :zeek:see:`EACF::conn_log_max_delayed` and :zeek:see:`EACF::conn_log_max_delay`. When
##!   reached, the line is written without its label and counted (``conn_log_overflow``, ``conn_log_late``).
##! - Acts that wait for an answer: :zeek:see:`EACF::max_waiting_acts`. When reached, nothing is done about further flows, and their lines
##!   in eacf_actions.log say so.
##! - Flows on their way to a tap: the window that the tap itself names. A flow that does not fit is not sent to it.

module EACF;

export {
	# Which connections.

	## Connections with an end in one of these subnets are left alone.
	option ignore_subnets: set[subnet] = {};

	## Connections to one of these ports are left alone.
	option ignore_ports: set[port] = {};

	## One connection in so many is collected, chosen by a hash of its addresses and ports, so that ``eacf replay
	## --sample-one-in`` chooses the same. 1: every connection. For links on which Zeek has no time for more.
	option sample_one_in: count = 1;

	# What is collected of them.

	## What is collected until a worker or tap has said what it needs: the contract's default.
	const default_needs = Needs($payload_bytes=3000, $window_bytes=3000, $records=0, $chunks=T) &redef;

	## Payload bytes of a connection that may leave Zeek, whatever a model asks for. 0: none. A model that needs more then
	## answers "refused".
	option max_payload: count = 3000;

	## A sample goes out so long after its first data at the latest, in packet time. 0: when it is complete or its
	## connection ends, as in ``eacf replay``. Zeek keeps a connection's record for so long.
	option flow_timeout: interval = 0sec;

	# Bounds.

	## Samples in the making at most. One takes some 2 kB, and the payload that it holds.
	option max_held_flows: count = 100000;

	## Payload bytes held in samples in the making at most.
	option max_held_bytes: count = 64000000;

	## Samples in one message at most; 32 is what the contract allows. Messages are the dearest part of the way.
	option gather_flows: count = 32;

	## A sample waits so long for company at most, in packet time, and only while flows are dense. 5 ms is what the contract allows.
	option gather_time: interval = 5msec;

	## Flows are dense when so many samples were complete within the last :zeek:see:`EACF::gather_time`. Below that each goes out at
	## once: there is little company to wait for, and, on a live interface, the next packet that could end the wait may be long in coming.
	option dense_flows: count = 5;

	## Flows sent to one worker and not yet answered at most. Below the 1,000 messages that the bus holds for a peer.
	option max_unanswered: count = 512;

	# Workers.

	## A flow without a verdict for so long gets the reason "timeout".
	option verdict_timeout: interval = 5sec;

	## A worker that owes verdicts and has said nothing for so long is set aside.
	option worker_timeout: interval = 2sec;

	## A worker that was set aside is asked again so often.
	option worker_retry: interval = 10sec;

	## A tap that has said nothing for so long gets no more until it speaks again.
	option tap_timeout: interval = 10sec;

	## Workers, and taps, known at most; further ones are not heard, and reporter.log says so.
	const max_workers = 1000 &redef;

	# What is done about a flow (policy.zeek, act.zeek).

	## The policy's file (``eacf policy check`` says what is wrong with one). Read when Zeek starts and again when it changes. Empty:
	## nothing is done about any flow.
	option policy_file: string = "";

	## Names that stand in the open for others behind them (Encrypted ClientHello): they contradict nothing.
	option ech_public_names: set[string] = { "cloudflare-ech.com" };

	## Whether agents on gateways (``eacf enforce``) are a backend of the NetControl framework, beside those that you have.
	const netcontrol_backend = T &redef;

	## The priority of that backend among the others; the highest that takes a rule gets it.
	const netcontrol_priority: int = +0 &redef;

	## An act that no agent has answered for so long is counted as such, and taken back.
	option act_timeout: interval = 5sec;

	## Acts that wait for an answer at most; when there are more, nothing is done about further flows.
	const max_waiting_acts = 10000 &redef;

	# Logs.

	## A line of conn.log waits so long for its verdict at most. Network time; Zeek takes no less than its own
	## ``Log::default_max_delay_interval``, 200 ms.
	const conn_log_max_delay = 1sec &redef;

	## Lines of conn.log that wait at most; when there are more the oldest is written.
	const conn_log_max_delayed = 10000 &redef;

	## How often the account is written to eacf_stats.log.
	option stats_interval: interval = 1min;

	## Characters of a label at most. A longer one, or one with control characters, makes the verdict malformed.
	const max_label_length = 64 &redef;

	# Where the bus of a standalone Zeek is; in a cluster the cluster says. The environment overrules these: ``EACF_SUBSCRIBE_ENDPOINT``
	# and ``EACF_PUBLISH_ENDPOINT``, the variables that ``eacf worker`` reads too.

	## Where the bus is heard. Loopback: whoever can connect can speak.
	const live_subscribe_endpoint = "tcp://127.0.0.1:5555" &redef;

	## Where it is spoken to.
	const live_publish_endpoint = "tcp://127.0.0.1:5556" &redef;

	# Captures (``zeek -r``).

	## Whether a capture is read: the bus then has endpoints of its own, packets wait for a worker, and Zeek ends when the last
	## verdict is in. Taken from Zeek's command line.
	const capture = F &redef;

	## How long the packets of a capture wait for a worker. 0: for ever.
	const capture_wait = 30sec &redef;

	## Where the bus of a capture is heard. Not the ports of a live sensor.
	const capture_subscribe_endpoint = "tcp://127.0.0.1:5565" &redef;

	## Where it is spoken to.
	const capture_publish_endpoint = "tcp://127.0.0.1:5566" &redef;
}
