##! From TLS connections to samples, by contract version 1: the payload, chunks and records of the stream, or record
##! lengths alone, as the needs of workers and taps ask.
##!
##! Records only: the TLS analyzer tells of each encrypted record once its last byte was delivered; we keep it on after the
##! handshake until the last record that is needed. The stream: the signature in dpd.sig attaches Zeek's STREAM_EVENT analyzer to
##! whatever looks like a ClientHello; it is detached when the sample is complete.

@load base/frameworks/signatures
@load ./account
@load-sigs ./dpd.sig

module EACF;

export {
	## Break, and the connection is left alone. Runs once for each TLS connection, when it would be taken up: at its
	## ClientHello, or at the end of its handshake where record lengths are all that is collected.
	global collect_policy: hook(c: connection);

	## What is collected now: the largest that any worker or tap asks for.
	global needs: Needs = copy(default_needs);
}

const application_data = "\x17";
const application_data_type = 23;
const default_records = 8;

# The most record lengths of a sample where no model says how many: as in eacf.collector.
const max_records = 4096;
const max_chunks = 8192;

# Declared here, defined beside what it works on.
global complete: function(c: connection, f: Flow);
global shed_at_once: function(c: connection, f: Flow);
global hold: function(c: connection);
global let_go: function(c: connection);
global end_qos: function(uid: string);

# Whether needs ask for more than record lengths, and for how many records; kept beside them since they are looked at for each record.
global stream_wanted = T;
global records_wanted = 0;

# Records-only samples in the making; while there is one the TLS analyzer's events are listened to.
global held_records_only = 0;

# Chosen by a hash, as in eacf.collector.selection: FNV-1a, its upper half folded into the lower, whose bits alone would follow
# those of addresses and ports that count up together.
function is_chosen(id: conn_id): bool
	{
	local hash = fnv1a32(fmt("%s %d %s %d", id$orig_h, port_to_count(id$orig_p), id$resp_h, port_to_count(id$resp_p)));
	return ( hash ^ ( hash >> 16 ) ) % sample_one_in == 0;
	}

function is_wanted(c: connection): bool
	{
	if ( |ignore_ports| > 0 && c$id$resp_p in ignore_ports )
		return F;
	if ( |ignore_subnets| > 0 && ( c$id$orig_h in ignore_subnets || c$id$resp_h in ignore_subnets ) )
		return F;
	if ( sample_one_in > 1 && ! is_chosen(c$id) )
		return F;
	return hook collect_policy(c);
	}

# A flow for this connection. Not gathering: it is left alone, or there is no room for it.
function take_up(c: connection): Flow
	{
	local f = Flow();
	c$eacf = f;
	if ( ! is_wanted(c) )
		++account$excluded;
	else if ( held_flows >= max_held_flows || held_bytes >= max_held_bytes )
		shed_at_once(c, f);
	else
		{
		f$gathering = T;
		f$records = vector();
		++held_flows;
		if ( capture )
			hold(c);
		}
	return f;
	}

# The condition of the signature.
function wants_stream(state: signature_state, data: string): bool
	{
	return active && stream_wanted && ! state$conn?$eacf;
	}

# Which events are listened to follows from what is collected, and from what is still in the making.
function listen()
	{
	if ( ! active || ( stream_wanted && held_records_only == 0 ) )
		disable_event_group("eacf-records");
	else
		enable_event_group("eacf-records");
	}

function set_needs(n: Needs)
	{
	needs = n;
	stream_wanted = n$chunks || n$payload_bytes > 0;
	records_wanted = n$records == 0 ? ( stream_wanted ? max_records : default_records ) : n$records;
	listen();
	}

# Connections whose samples have a flow timeout, in the order in which it is over.
global deadlines: table[count] of connection = {};
global first_deadline = 0;
global next_deadline = 0;

# Where there is a flow timeout: it begins with the first data. Returns whether it is over; the sample then goes out without what has
# just come.
function is_late(c: connection, f: Flow): bool
	{
	local now = network_time();
	if ( f?$deadline )
		{
		if ( now < f$deadline )
			return F;
		complete(c, f);
		return T;
		}
	f$deadline = now + flow_timeout;
	deadlines[next_deadline] = c;
	++next_deadline;
	return F;
	}

# Samples whose flow timeout is over go out as they are; for those on which no more data comes to notice it.
function complete_overdue()
	{
	local now = network_time();
	while ( first_deadline < next_deadline )
		{
		local c = deadlines[first_deadline];
		local f = c$eacf;
		if ( f$gathering && f?$deadline )
			{
			if ( f$deadline > now )
				return;
			complete(c, f);
			}
		delete deadlines[first_deadline];
		++first_deadline;
		}
	}

# Record lengths alone.

function begin_records(c: connection): Flow
	{
	local f = take_up(c);
	if ( f$gathering )
		{
		f$wanted = records_wanted;
		++held_records_only;
		}
	return f;
	}

event ssl_encrypted_data(c: connection, is_client: bool, record_version: count, content_type: count, length: count) &group="eacf-records"
	{
	if ( content_type != application_data_type )
		return;
	if ( ! c?$eacf )
		{
		if ( stream_wanted || get_port_transport_proto(c$id$resp_p) != tcp )
			return;
		begin_records(c);
		}
	local f = c$eacf;
	if ( f$wanted == 0 || ( flow_timeout > 0sec && is_late(c, f) ) )
		return;
	f$records += is_client ? +length : -length;
	if ( --f$wanted == 0 )
		complete(c, f);
	}

# Before SSL::finish at -5, which would switch the analyzer off: it finds none to switch off, and we do it later. An operator
# who keeps it on for all (SSL::disable_analyzer_after_detection = F) keeps it.
event ssl_established(c: connection) &priority=-4 &group="eacf-records"
	{
	if ( ! SSL::disable_analyzer_after_detection || ! c?$ssl || ! c$ssl?$analyzer_id )
		return;
	if ( ! c?$eacf )
		{
		if ( stream_wanted || get_port_transport_proto(c$id$resp_p) != tcp )
			return;
		begin_records(c);
		}
	local f = c$eacf;
	if ( f$wanted == 0 )
		return;
	f$ssl_analyzer = c$ssl$analyzer_id;
	delete c$ssl$analyzer_id;
	}

# The stream.

function begin_stream(c: connection): Flow
	{
	local f = take_up(c);
	local ship = needs$payload_bytes < needs$window_bytes ? needs$payload_bytes : needs$window_bytes;
	if ( f$gathering )
		f$stream = Stream($orig=Side(), $resp=Side(), $ship=ship, $window=needs$window_bytes);
	return f;
	}

# The payload of a delivery: how many bytes, and the bytes themselves as far as they are shipped. Notes the records whose headers it
# holds.
function walk(f: Flow, s: Stream, is_orig: bool, data: string): count
	{
	local side = is_orig ? s$orig : s$resp;
	local n = |data|;
	if ( side$left >= n )
		{
		# Wholly within the record at hand.
		side$left -= n;
		if ( ! side$keep )
			return 0;
		if ( s$ship > 0 )
			s$payload += n <= s$ship ? data : data[:s$ship];
		return n;
		}

	local at = side$left;
	local added = 0;
	local ship = s$ship;
	local left = 0;
	local keep = side$keep;
	if ( keep && at > 0 )
		{
		added = at;
		if ( ship > 0 )
			{
			s$payload += at <= ship ? data[:at] : data[:ship];
			ship = at < ship ? ship - at : 0;
			}
		}
	while ( at < n )
		{
		# A header: type, version, length. Eight bytes at once where there are so many, since each call costs more than arithmetic.
		if ( n - at >= 8 && ! side?$head )
			{
			local head = bytestring_to_count(data[at:at + 8]);
			keep = head >> 56 == application_data_type;
			left = ( head >> 24 ) & 0xffff;
			at += 5;
			}
		else
			{
			local bytes = side?$head ? side$head : "";
			bytes += data[at:at + 5 - |bytes|];
			at += |bytes| - ( side?$head ? |side$head| : 0 );
			if ( |bytes| < 5 )
				{
				side$head = bytes;
				break;
				}
			delete side$head;
			keep = bytes[0] == application_data;
			left = bytestring_to_count(bytes[3:5]);
			}
		local stop = at + left;
		if ( stop > n )
			{
			left = stop - n;
			stop = n;
			}
		else
			left = 0;
		if ( keep )
			{
			f$records += is_orig ? +( stop - at + left ) : -( stop - at + left );
			if ( stop > at )
				{
				if ( ship > 0 )
					{
					local take = stop - at < ship ? stop - at : ship;
					s$payload += data[at:at + take];
					ship -= take;
					}
				added += stop - at;
				}
			}
		at = stop;
		}
	side$left = left;
	side$keep = keep;
	return added;
	}

event stream_deliver(c: connection, is_orig: bool, data: string)
	{
	if ( ! c?$eacf )
		{
		if ( ! stream_wanted )
			{
			disable_analyzer(c$id, current_analyzer(), F, T);
			return;
			}
		# One whole record that is not application data, as a ClientHello is: there is nothing to remember of it.
		if ( |data| >= 5 && data[0] != application_data && bytestring_to_count(data[3:5]) + 5 == |data| )
			return;
		begin_stream(c);
		}
	local f = c$eacf;
	if ( ! f$gathering || ! f?$stream )
		{
		disable_analyzer(c$id, current_analyzer(), F, T);
		return;
		}
	if ( f?$deadline && is_late(c, f) )
		{
		disable_analyzer(c$id, current_analyzer(), F, T);
		return;
		}
	local s = f$stream;
	local added = walk(f, s, is_orig, data);
	if ( added > 0 )
		{
		local now = network_time();
		if ( added >= s$window )
			added = s$window;
		if ( s$ship > 0 )
			{
			local shipped = added < s$ship ? added : s$ship;
			s$ship -= shipped;
			held_bytes += shipped;
			}
		s$window -= added;
		if ( |s$chunks| == 0 )
			{
			s$chunks += Chunk($len=added, $is_orig=is_orig, $gap=0sec);
			if ( flow_timeout > 0sec )
				is_late(c, f);
			}
		else
			s$chunks += Chunk($len=added, $is_orig=is_orig, $gap=now - s$last);
		s$last = now;
		}
	if ( s$window == 0 || |f$records| >= records_wanted || |s$chunks| >= max_chunks )
		{
		complete(c, f);
		disable_analyzer(c$id, current_analyzer(), F, T);
		}
	}

# Both sides have closed, and all they said was delivered: nothing more will come, though Zeek forgets the connection only
# seconds later (tcp_close_delay). So its verdict is there, most often, before its line of conn.log is due.
event connection_finished(c: connection)
	{
	if ( ! c?$eacf )
		return;
	c$eacf$is_open = F;
	if ( c$eacf$gathering )
		complete(c, c$eacf);
	}

# Before its line of conn.log is written, at -5. A handler for all connections: it costs less than a removal hook for each of ours.
event connection_state_remove(c: connection) &priority=-4
	{
	if ( ! c?$eacf )
		return;
	local f = c$eacf;
	f$is_open = F;
	if ( |qos_acts| > 0 && c$uid in qos_acts )
		end_qos(c$uid);
	if ( f$gathering )
		{
		# There is nothing left to switch off.
		delete f$ssl_analyzer;
		complete(c, f);
		}
	else if ( f?$label )
		{
		c$conn$eacf_label = f$label;
		c$conn$eacf_confidence = f$confidence;
		}
	}
