##! Where verdicts go: eacf.log, a line a flow, and two fields of conn.log.
##!
##! A connection that ends before its verdict is there has its line of conn.log held back for a while (``Log::delay``); when the
##! time is over, or too many wait, it is written as it is and counted.

@load base/frameworks/logging
@load base/protocols/conn
@load ./account
@load ./policy-file

module EACF;

# In a capture lines leave in the order in which they were due, so that two runs write the same: behind one that waits
# for its verdict, every other waits, too.
type Line: record {
	rec: Conn::Info;
	token: Log::DelayToken;
	done: bool;
};

global lines: table[count] of Line = {};
global first_line = 0;
global next_line = 0;
global line_of: table[string] of count = {};

# Likewise the lines of eacf.log, in the order in which the samples were complete.
global infos: table[count] of Info = {};
global first_info = 0;
global next_info = 0;

# Defined in act.zeek: what the policy says of a settled flow is done.
global decide: function(info: Info, is_open: bool);

# Runs when a line is let go, by us or by the limits.
function line_leaves(rec: Conn::Info, id: Log::ID): bool
	{
	if ( rec$uid !in pending )
		return T;
	if ( Log::get_delay_queue_size(Conn::LOG) > conn_log_max_delayed )
		++account$conn_log_overflow;
	else
		++account$conn_log_late;
	delete pending[rec$uid]$conn_token;
	return T;
	}

hook Log::log_stream_policy(rec: any, id: Log::ID)
	{
	if ( id != Conn::LOG || ( |pending| == 0 && first_line == next_line ) || zeek_is_terminating() )
		return;
	local line = rec as Conn::Info;
	local waits = line$uid in pending;
	if ( ! waits && first_line == next_line )
		return;
	local token = Log::delay(id, rec, line_leaves);
	if ( waits )
		{
		pending[line$uid]$conn_line = line;
		pending[line$uid]$conn_token = token;
		}
	if ( capture )
		{
		lines[next_line] = Line($rec=line, $token=token, $done=! waits);
		if ( waits )
			line_of[line$uid] = next_line;
		++next_line;
		}
	}

function let_lines_go()
	{
	while ( first_line < next_line && lines[first_line]$done )
		{
		local line = lines[first_line];
		delete lines[first_line];
		++first_line;
		if ( ! zeek_is_terminating() )
			Log::delay_finish(Conn::LOG, line$rec, line$token);
		}
	}

# The sample of this flow is complete.
function take_place(info: Info)
	{
	infos[next_info] = info;
	++next_info;
	}

function write_in_order()
	{
	while ( first_info < next_info )
		{
		local info = infos[first_info];
		if ( ! info?$label && ! info?$reason )
			return;
		Log::write(LOG, info);
		if ( has_policy )
			decide(info, T);
		delete infos[first_info];
		++first_info;
		}
	}

# The flow is settled: its lines, in eacf.log and, if its connection is over, in conn.log.
function write_flow(f: Flow, info: Info)
	{
	if ( capture )
		write_in_order();
	else
		Log::write(LOG, info);

	if ( ! f?$conn_line )
		return;
	if ( info?$label )
		{
		f$conn_line$eacf_label = info$label;
		f$conn_line$eacf_confidence = info$confidence;
		}
	if ( capture )
		{
		lines[line_of[info$uid]]$done = T;
		delete line_of[info$uid];
		let_lines_go();
		}
	else if ( f?$conn_token && ! zeek_is_terminating() )
		Log::delay_finish(Conn::LOG, f$conn_line, f$conn_token);
	}

event zeek_init()
	{
	Log::create_stream(LOG, Log::Stream($columns=Info, $path="eacf", $policy=log_policy));
	}

event zeek_init() &priority=-5
	{
	# In a capture nothing is cut short; network time may jump by years there.
	Log::set_max_delay_interval(Conn::LOG, capture ? 36500days : conn_log_max_delay);
	Log::set_max_delay_queue_size(Conn::LOG, capture ? 1000000000 : conn_log_max_delayed);
	}
