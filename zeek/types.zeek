##! What goes over the bus between Zeek and a worker: contract version 1, and beside it the messages of taps and of agents on gateways.
##!
##! The layout of every record here is frozen. A Zeek drops an event whose record has too few fields and ignores
##! surplus ones, so a new field on this side takes a new version of its event.

module EACF;

export {
	## Version of the package; the worker's version is its own.
	const package_version = "0.1.0";

	## Version of the contract that the events below make up.
	const contract_version = 1;

	## One delivery of the TCP reassembler that added payload to a sample.
	type Chunk: record {
		## Payload bytes that it added.
		len: count;
		is_orig: bool;
		## Time since the chunk before it; 0 for the first.
		gap: interval;
	};

	## Our bounded view of one TLS connection.
	type Sample: record {
		uid: string;
		start: time;
		orig_h: addr;
		orig_p: port;
		resp_h: addr;
		resp_p: port;
		server_name: string &optional;
		## Fragments of application-data records in order of arrival, both directions; no header of any kind.
		payload: string;
		chunks: vector of Chunk;
		## Length of each application-data record; positive from the originator, negative from the responder.
		records: vector of int;
	};

	## What a worker says of one sample.
	type Verdict: record {
		uid: string;
		## Unset: no label; *reason* says why.
		label: string &optional;
		## Calibrated probability of the best label, given when the model abstains too.
		confidence: double;
		## Id of the bundle that said it.
		model: string;
		## "abstained" or "refused".
		reason: string &optional;
		## What the sample's server name says by the bundle's label map.
		sni_label: string &optional;
	};

	## What a model (or a tap) asks a sensor to collect. With several, the sensor collects the largest of each number.
	type Needs: record {
		## Payload shipped at most; 0: none leaves Zeek.
		payload_bytes: count;
		## The sample is complete when so many payload bytes were seen.
		window_bytes: count;
		## Or at the end of the delivery in which the header of record number so many was seen; 0: no such end.
		records: count;
		## F together with *payload_bytes* 0: records only, as the TLS analyzer tells of them.
		chunks: bool;
	};

	## What an agent on a gateway is asked for.
	type Act: record {
		## Twelve hex digits of the Zeek process, a dot, a number.
		id: string;
		## "drop" and "qos": of a connection. "drop_host": of an address or subnet, all of it.
		kind: string;
		## Of "drop_host": the subnet's address, the ports without meaning, the responder as the originator.
		orig_h: addr;
		orig_p: port;
		resp_h: addr;
		resp_p: port;
		## Of "drop_host": prefix length of the subnet. Else 0.
		width: count;
		## Acts with the same key share their rate: the policy's table in words. Empty for what other scripts asked NetControl for.
		key: string;
		## Name of a priority class.
		priority: string &optional;
		dscp: count &optional;
		## Bits a second.
		rate: count &optional;
		lasts: interval;
	};

	## What came of one act.
	type Acted: record {
		id: string;
		## "in place", "exists" (the same was there already), "refused" (*why* says), "gone" (removed, or was not there).
		outcome: string;
		why: string &optional;
	};

	## One sample, to the topic of one worker. Workers take it; Zeek sends :zeek:see:`EACF::flows`.
	global flow: event(reply_to: string, s: Sample);

	## Samples, to the topic of one worker or tap.
	global flows: event(reply_to: string, v: vector of Sample);

	## Asks the worker on whose topic it is said for its hello.
	global who: event();

	## A worker's answer, and what it says after each change of its bundle.
	global hello: event(worker: string, model: string, n: Needs);

	## A worker's answers to samples.
	global verdicts: event(worker: string, v: vector of Verdict);

	## Tells a tap where this Zeek process listens.
	global tap_who: event(reply_to: string);

	## A tap's answer, and its heartbeat.
	##
	## tap: Its id.
	##
	## n: What it wants to be collected.
	##
	## share: The share of all flows that it wants, above 0 and at most 1.
	##
	## received: Flows that it has received from this Zeek process so far.
	##
	## window: Flows that may be on their way to it at most.
	global tap_ready: event(tap: string, n: Needs, share: double, received: count, window: count);

	## A worker says that its model and the traffic have come apart. One Zeek process makes a notice of it: a standalone one, or
	## the manager of a cluster.
	##
	## worker: Its id.
	##
	## model: Id of the bundle that serves.
	##
	## kind: "accuracy" or "inputs".
	##
	## text: For people.
	global alarm: event(worker: string, model: string, kind: string, text: string);

	## Acts, to the topic of an agent; 64 at most.
	global acts: event(reply_to: string, v: vector of Act);

	## Ids of acts that are to end before their time, to the topic of an agent; 64 at most.
	global unacts: event(reply_to: string, v: vector of string);

	## An agent's answers; "gone" unasked where an act ended before its time.
	##
	## agent: Its id.
	##
	## v: What came of each act; 64 at most.
	global acted: event(agent: string, v: vector of Acted);

	## Asks everyone on the bus for a report.
	global status_request: event(reply_to: string);

	## A report, as JSON.
	global status_reply: event(worker: string, report: string);
}
