##! A flow: what we hold of one TLS connection, from its first application data to its line in eacf.log.

@load base/protocols/conn
@load base/protocols/ssl
@load ./types
@load ./options

module EACF;

export {
	redef enum Log::ID += { LOG };

	global log_policy: Log::PolicyHook;

	## A line of eacf.log: one classified or counted flow. ``eacf replay`` writes the same fields in the same order.
	type Info: record {
		## Start of the connection.
		ts: time &log;
		uid: string &log;
		id: conn_id &log;
		## SNI; unset where the ClientHello had none.
		server_name: string &log &optional;
		## What the model takes the connection for; unset: none, *reason* says why.
		label: string &log &optional;
		## Calibrated probability of the best label, given when the model abstains too.
		confidence: double &log &optional;
		## abstained, refused, timeout (no verdict in time), no_worker, shed (a bound was reached).
		reason: string &log &optional;
		## Id of the bundle that said it.
		model: string &log &optional;
		worker: string &log &optional;
		## What the server name says by the bundle's label map.
		sni_label: string &log &optional;
		## Sample published to verdict handled, by the wall clock.
		latency: interval &log &optional;
		## How much of each the sample held.
		payload_bytes: count &log;
		chunks: count &log;
		records: count &log;
	};

	## One direction of a TLS stream, on its way through records.
	type Side: record {
		## Bytes of the record at hand that are still to come.
		left: count &default=0;
		## Whether it is application data.
		keep: bool &default=F;
		## Bytes of a record's header that was cut.
		head: string &optional;
	};

	## A sample in the making that is taken from the stream.
	type Stream: record {
		orig: Side;
		resp: Side;
		payload: string &default="";
		chunks: vector of Chunk;
		## Payload bytes that may still be shipped, and that the window still takes.
		ship: count;
		window: count;
		## Time of the last chunk.
		last: time &default=double_to_time(0.0);
	};

	## A worker, as this Zeek process sees it.
	type Worker: record {
		id: string;
		topic: string;
		## Unset until its hello.
		model: string &optional;
		needs: Needs &optional;
		## greeting (no hello yet), ready, hung (set aside), gone.
		state: string &default="greeting";
		## Flows sent to it without a verdict yet; those that timed out are no longer among them.
		unanswered: count &default=0;
		sent: count &default=0;
		answered: count &default=0;
		## Since when it owes something and has said nothing. Wall clock.
		silent_since: time &default=double_to_time(0.0);
		## When it was last asked who it is. Wall clock.
		asked: time &default=double_to_time(0.0);
	};

	## What we hold of a connection. In the connection's record as long as that lives.
	type Flow: record {
		## Whether a sample is in the making.
		gathering: bool &default=F;
		## Records only: how many more are wanted; 0 where none are, or the stream is looked at.
		wanted: count &default=0;
		records: vector of int &optional;
		## Unset: records only.
		stream: Stream &optional;
		## When the flow timeout is over; unset: no data yet, or no such timeout.
		deadline: time &optional;
		## The TLS analyzer, where we keep it on after the handshake.
		ssl_analyzer: count &optional;
		## F once both sides have closed, or Zeek has forgotten the connection.
		is_open: bool &default=T;
		## Its line of eacf.log, from when the sample is complete until the flow is settled.
		info: Info &optional;
		worker: Worker &optional;
		## Number of the message that it went out in.
		message: count &optional;
		sent_at: time &optional;
		## Its line of conn.log, if that waits for the verdict.
		conn_line: Conn::Info &optional;
		conn_token: Log::DelayToken &optional;
		## From here on once it is settled with a label.
		label: string &optional;
		confidence: double &optional;
	};
}

redef record Conn::Info += {
	## What the eacf model takes the connection for.
	eacf_label: string &log &optional;
	## Calibrated probability of that label.
	eacf_confidence: double &log &optional;
};

redef record connection += {
	eacf: Flow &optional;
};
