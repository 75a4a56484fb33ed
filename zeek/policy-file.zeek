##! Reads the policy's file when Zeek starts and whenever it changes. A bad one is refused whole, and the policy before it stays; without
##! one, nothing is done.

@load base/frameworks/input
@load ./account
@load ./policy

module EACF;

export {
	## A policy was read and holds from now on.
	##
	## path: Where it was.
	global policy_changed: event(path: string);

	## A policy was refused, or its file could not be read. The one before it, if any, stays.
	##
	## path: Where it was.
	##
	## why: What is wrong, with the line.
	global policy_refused: event(path: string, why: string);
}

# The policy that holds, and whether there is one: what is looked at for each flow.
global policy = Policy();
global has_policy = F;

# Whether the file was asked for and nothing has come of it yet.
global policy_is_awaited = F;

# Lines of the file so far, and those that were read last, to tell whether it has changed; no file is a zero byte.
global policy_lines: vector of string = {};
global policy_text = "\x00";
global policy_text_holds = F;
global policy_problem_told = "";

# Number of the reader; its name ends with it. And whether there is one.
global policy_reader = 0;
global policy_is_open = F;

# A file that is written in place may be read half. What looks whole is looked at once more after so long, since the reader takes
# two changes within one second for one; a file that is not there is looked for as often.
const policy_again = 1sec;

const no_policy_file = "there is no such file, or it may not be read";

# Defined in capture.zeek; without effect on live traffic.
global policy_is_in: function();

type PolicyLine: record {
	text: string;
};

function tell_refused(path: string, why: string)
	{
	policy_is_awaited = F;
	if ( policy_problem_told != why )
		{
		policy_problem_told = why;
		Reporter::warning(fmt("eacf: policy %s is refused, %s: %s. Remedy: eacf policy check %s", path,
		                      has_policy ? "the one before it stays" : "nothing is done about any flow", why, path));
		event EACF::policy_refused(path, why);
		}
	policy_is_in();
	}

global policy_line: event(d: Input::EventDescription, what: Input::Event, text: string);
global policy_unreadable: event(d: Input::EventDescription, message: string, level: Reporter::Level);
global read_policy_again: event(reader: count);

function reader_name(): string
	{
	return fmt("eacf-policy-%d", policy_reader);
	}

function read_policy_file()
	{
	++policy_reader;
	policy_lines = vector();
	policy_is_awaited = T;
	if ( file_size(policy_file) < 0.0 )
		{
		tell_refused(policy_file, no_policy_file);
		schedule policy_again { EACF::read_policy_again(policy_reader) };
		return;
		}
	Input::add_event([$source=policy_file, $reader=Input::READER_RAW, $mode=capture ? Input::MANUAL : Input::REREAD,
	                  $name=reader_name(), $fields=PolicyLine, $want_record=F, $ev=policy_line, $error_ev=policy_unreadable]);
	policy_is_open = T;
	}

function close_policy_file()
	{
	if ( policy_is_open )
		Input::remove(reader_name());
	policy_is_open = F;
	}

event read_policy_again(reader: count)
	{
	if ( reader != policy_reader || policy_file == "" || zeek_is_terminating() )
		return;
	close_policy_file();
	read_policy_file();
	}

event policy_line(d: Input::EventDescription, what: Input::Event, text: string)
	{
	# Not more than is refused.
	if ( d$name == reader_name() && |policy_lines| <= max_toml_lines )
		policy_lines += text;
	}

# The reader ends with an error: the file is gone. It is looked for until it is there again; the policy stays meanwhile.
event policy_unreadable(d: Input::EventDescription, message: string, level: Reporter::Level)
	{
	if ( d$name != reader_name() || level == Reporter::INFO )
		return;
	policy_is_open = F;
	tell_refused(d$source, no_policy_file);
	if ( ! capture )
		schedule policy_again { EACF::read_policy_again(policy_reader) };
	}

event Input::end_of_data(name: string, source: string)
	{
	if ( policy_file == "" || name != reader_name() )
		return;
	local lines = policy_lines;
	policy_lines = vector();
	local text = join_string_vec(lines, "\n");
	local is_new = text != policy_text;
	policy_text = text;
	if ( is_new )
		{
		local p = read_policy(lines);
		policy_text_holds = policy_problem == "";
		if ( policy_text_holds )
			{
			policy = p;
			has_policy = T;
			event EACF::policy_changed(source);
			}
		else
			tell_refused(source, policy_problem);
		if ( ! capture )
			schedule policy_again { EACF::read_policy_again(policy_reader) };
		}
	# Also of a file that was away and is back as it was.
	if ( policy_text_holds )
		policy_problem_told = "";
	policy_is_awaited = F;
	policy_is_in();
	}

global policy_file_changed: event();

event policy_file_changed()
	{
	close_policy_file();
	has_policy = F;
	policy_text = "\x00";
	policy_problem_told = "";
	++policy_reader;
	if ( active && policy_file != "" )
		read_policy_file();
	}

# A change handler sees the new value before it holds.
function on_policy_file(id: string, value: string): string
	{
	event EACF::policy_file_changed();
	return value;
	}

event zeek_init()
	{
	Option::set_change_handler("EACF::policy_file", on_policy_file);
	if ( active && policy_file != "" )
		read_policy_file();
	}
