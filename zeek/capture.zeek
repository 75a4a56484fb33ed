##! A capture (``zeek -r``): packets wait for a worker before the first and while too many flows are unanswered, every flow gets
##! its verdict and every line is written, and Zeek ends by itself.
##!
##! A capture's clock is its packets', and it stands still while they wait. What is to happen after some real time then
##! is told by a ``sleep`` that the input framework runs.

@load base/frameworks/input
@load ./dispatch

module EACF;

# Flows sent and not answered, from which on packets wait, and with which they go on.
const room_flows = 512;
const go_on_flows = 256;

# Why packets wait; empty: they do not.
global waits_for = "";
global capture_is_over = F;
global alarms = 0;

# Flows in the making, oldest first, to send them when the capture is over.
global in_the_making: table[string] of connection = {} &ordered;

type AlarmLine: record {
	line: string;
};

global alarm: event(description: Input::EventDescription, tpe: Input::Event, rec: AlarmLine);

event alarm(description: Input::EventDescription, tpe: Input::Event, rec: AlarmLine)
	{
	}

# Raises InputRaw::process_finished after so many seconds of real time.
function set_alarm(seconds: interval)
	{
	++alarms;
	Input::add_event(Input::EventDescription($source=fmt("sleep %f |", interval_to_double(seconds)),
	                 $name=fmt("eacf-alarm-%d", alarms), $reader=Input::READER_RAW, $mode=Input::STREAM,
	                 $fields=AlarmLine, $ev=EACF::alarm));
	}

function wait(what: string)
	{
	if ( waits_for != "" )
		return;
	waits_for = what;
	suspend_processing();
	}

function go_on()
	{
	if ( waits_for == "" )
		return;
	waits_for = "";
	continue_processing();
	}

function hold(c: connection, f: Flow)
	{
	if ( capture )
		in_the_making[c$uid] = c;
	}

function let_go(c: connection, f: Flow)
	{
	if ( capture )
		delete in_the_making[c$uid];
	}

function wait_for_room()
	{
	if ( capture && ! capture_is_over && |pending| >= room_flows )
		{
		wait("room");
		set_alarm(1sec);
		}
	}

function go_on_if_room()
	{
	if ( waits_for == "room" && |pending| <= go_on_flows )
		go_on();
	}

function end_if_over()
	{
	if ( capture_is_over && |pending| == 0 )
		terminate();
	}

event worker_up(worker: string, model: string)
	{
	if ( waits_for == "a worker" )
		go_on();
	}

event InputRaw::process_finished(name: string, source: string, exit_code: count, signal_exit: bool)
	{
	if ( name != /eacf-alarm-.*/ )
		return;
	Input::remove(name);
	if ( waits_for == "a worker" )
		{
		Reporter::warning(fmt("eacf: no worker came within %s (EACF::capture_wait); going on without labels. Remedy: eacf worker --subscribe-endpoint %s --publish-endpoint %s",
		                      capture_wait, subscribe_endpoint(), publish_endpoint()));
		go_on();
		return;
		}
	look_after();
	if ( waits_for == "room" || ( capture_is_over && |pending| > 0 ) )
		set_alarm(0.5sec);
	}

# What is open goes out now: what Zeek ends by itself when it terminates would be too late to be answered.
event Pcap::file_done(path: string)
	{
	if ( ! capture || ! active )
		return;
	local still_open: vector of connection = {};
	for ( _, c in in_the_making )
		still_open += c;
	for ( _, d in still_open )
		if ( d$eacf$gathering )
			complete(d, d$eacf);
	send_gathered();
	capture_is_over = T;
	if ( |pending| > 0 )
		set_alarm(0.5sec);
	end_if_over();
	}

event zeek_init() &priority=-10
	{
	if ( ! capture || ! active )
		return;
	wait("a worker");
	if ( capture_wait > 0sec )
		set_alarm(capture_wait);
	}
