# Drops of made-up connections, asked of NetControl as any script asks: AT_ONCE of them as soon as there is an agent, then A_SECOND new ones
# a second for SECONDS. Writes asked.tsv: number, when it was asked for and when it was answered (wall clock), what came of it.

module Ask;

const at_once = to_count(getenv("AT_ONCE"));
const a_second = to_count(getenv("A_SECOND"));
const seconds = to_double(getenv("SECONDS"));
const total = at_once + double_to_count(a_second * seconds);
const tick = 50msec;
# After the last one: what is not answered by then is not answered.
const patience = 15.0;

global go_on: event();
global until_answered: event();
global look_for_agent: event();

type Drop: record {
	number: count;
	asked: time;
};

global next_number = 0;
# Those that NetControl gave no rule for: more acts wait at agents than Zeek lets wait. They are asked for again.
global again: vector of count = {};
global asked_again = 0;
global waiting: table[string] of Drop = {};
global told: file;
global begin: time;

function connection(n: count): conn_id
	{
	local client = n % 2 == 0 ? counts_to_addr(vector(( 10 << 24 ) + n)) : counts_to_addr(vector(0x20010db8, 0, 0, n));
	local server = n % 2 == 0 ? 192.0.2.1 : [2001:db8:ffff::1];
	return conn_id($orig_h=client, $orig_p=count_to_port(1024 + n % 60000, tcp), $resp_h=server, $resp_p=443/tcp);
	}

function ask(n: count): bool
	{
	local asked = current_time();
	local rule = NetControl::drop_connection(connection(n), 1hr, fmt("bench %d", n));
	if ( rule == "" )
		{
		again += n;
		++asked_again;
		return F;
		}
	waiting[rule] = Drop($number=n, $asked=asked);
	return T;
	}

function ask_new(n: count)
	{
	local last = next_number + n;
	while ( next_number < last )
		{
		ask(next_number);
		++next_number;
		}
	}

function ask_those_again()
	{
	local numbers = again;
	again = vector();
	local is_full = F;
	for ( _, n in numbers )
		if ( is_full )
			again += n;
		else
			is_full = ! ask(n);
	}

function came(r: NetControl::Rule, outcome: string)
	{
	if ( r$id !in waiting )
		return;
	local d = waiting[r$id];
	delete waiting[r$id];
	write_file(told, fmt("%d\t%.6f\t%.6f\t%s\n", d$number, d$asked, current_time(), outcome));
	}

event NetControl::rule_added(r: NetControl::Rule, p: NetControl::PluginState, msg: string)
	{
	came(r, "in place");
	}

event NetControl::rule_exists(r: NetControl::Rule, p: NetControl::PluginState, msg: string)
	{
	came(r, "exists");
	}

event NetControl::rule_error(r: NetControl::Rule, p: NetControl::PluginState, msg: string)
	{
	came(r, msg);
	}

function finish()
	{
	for ( _, d in waiting )
		write_file(told, fmt("%d\t%.6f\t0\tno answer\n", d$number, d$asked));
	for ( _, n in again )
		write_file(told, fmt("%d\t0\t0\tnot asked\n", n));
	write_file(told, fmt("asked again\t%d\n", asked_again));
	close(told);
	close(open("done"));
	}

event go_on()
	{
	ask_those_again();
	local late = interval_to_double(current_time() - begin);
	if ( next_number < total )
		{
		local due = at_once + double_to_count(late * a_second);
		ask_new(( due > total ? total : due ) - next_number);
		}
	else if ( |waiting| + |again| == 0 || late > seconds + patience )
		{
		finish();
		return;
		}
	schedule tick { Ask::go_on() };
	}

# The new ones begin when the first ones are answered.
event until_answered()
	{
	ask_those_again();
	if ( |waiting| + |again| > 0 && current_time() - begin < double_to_interval(patience) )
		schedule tick { Ask::until_answered() };
	else
		{
		begin = current_time();
		schedule tick { Ask::go_on() };
		}
	}

# NetControl takes the first one once there is an agent.
event look_for_agent()
	{
	begin = current_time();
	if ( ! ask(0) )
		{
		again = vector();
		asked_again = 0;
		schedule 100msec { Ask::look_for_agent() };
		return;
		}
	next_number = 1;
	ask_new(at_once - 1);
	schedule tick { Ask::until_answered() };
	}

event zeek_init()
	{
	told = open("asked.tsv");
	schedule 100msec { Ask::look_for_agent() };
	}
