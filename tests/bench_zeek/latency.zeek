##! How long a verdict takes on a live interface: from the packet that completed the sample, by its own time stamp, to the
##! event that tells of the flow, by the wall clock. For a model on record lengths, beside the package.
##!
##! The packet is found without the package's help: the one that ended application-data record number so many of its
##! connection, where so many is how many records the sample held. What this takes of Zeek's time is part of the figure.
##!
##! Writes `ready` when a worker is there, and at the end `latencies`: a line "received N dropped N", then one a flow: its
##! latency in seconds, or why there is none.

module EACFBench;

const application_data = 23;

global times: table[string] of vector of time = {};
global told: vector of string = {};

event EACF::worker_up(worker: string, model: string)
	{
	close(open("ready"));
	}

event ssl_encrypted_data(c: connection, is_client: bool, record_version: count, content_type: count, length: count) &priority=10
	{
	if ( content_type != application_data )
		return;
	if ( c$uid !in times )
		times[c$uid] = vector();
	times[c$uid] += network_time();
	}

event EACF::classified(info: EACF::Info, is_open: bool)
	{
	local now = current_time();
	if ( info?$reason && info$reason != "abstained" )
		told += info$reason;
	else if ( info$uid !in times || |times[info$uid]| < info$records )
		told += "unseen";
	else
		told += fmt("%.9f", interval_to_double(now - times[info$uid][info$records - 1]));
	delete times[info$uid];
	}

event zeek_done()
	{
	local stats = get_net_stats();
	local out = open("latencies");
	print out, fmt("received %d dropped %d", stats$pkts_recvd, stats$pkts_dropped);
	for ( _, line in told )
		print out, line;
	close(out);
	}
