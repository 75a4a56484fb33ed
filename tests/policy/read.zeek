# What Zeek's script reads in each of the files that the environment's POLICIES names, as lines of JSON in read.json: the policy in canonical form, or what is
# wrong with it. The files come by Input's raw reader, as the policy's own file does.

module EACF;

type CorpusLine: record {
	text: string;
};

type Canonical: record {
	name: string;
	confidence: double;
	priority: string &optional;
	dscp: count &optional;
	rate: count &optional;
	block: bool;
	shunt: bool;
	lasts: double;
};

# Not a table by label: to_json writes the keys of one in another way than strings.
type Fit: record {
	what: string;
	label: string &optional;
	act: Canonical;
};

global corpus_lines: table[string] of vector of string = {};
global corpus_left = 0;
global corpus_out: file;

function canonical(t: PolicyTable): Canonical
	{
	local c = Canonical($name=t$name, $confidence=t$confidence, $block=t$block, $shunt=t$shunt, $lasts=interval_to_double(t$lasts));
	if ( t?$priority )
		c$priority = t$priority;
	if ( t?$dscp )
		c$dscp = t$dscp;
	if ( t?$rate )
		c$rate = t$rate;
	return c;
	}

# As it is: print would escape what is not ASCII.
function say(line: string)
	{
	write_file(corpus_out, line + "\n");
	}

function tell(path: string, lines: vector of string)
	{
	local p = read_policy(lines);
	if ( policy_problem != "" )
		{
		say(to_json([$path=path, $problem=policy_problem]));
		return;
		}
	local acts: vector of Fit = {};
	for ( label, t in p$labels )
		acts += Fit($what="label", $label=label, $act=canonical(t));
	if ( p?$unknown )
		acts += Fit($what="unknown", $act=canonical(p$unknown));
	if ( p?$contradicted )
		acts += Fit($what="server name contradicted", $act=canonical(p$contradicted));
	say(to_json([$path=path, $mode=p$act ? "act" : "dry-run", $confidence=p$confidence, $leave_alone=p$leave_alone,
	             $bounds=[$rules=p$rules, $rules_per_second=p$rules_per_second, $rules_per_host=p$rules_per_host],
	             $classes=p$classes, $acts=acts]));
	}

event corpus_line(d: Input::EventDescription, what: Input::Event, text: string)
	{
	corpus_lines[d$source] += text;
	}

event Input::end_of_data(name: string, source: string)
	{
	if ( source !in corpus_lines )
		return;
	tell(source, corpus_lines[source]);
	if ( --corpus_left == 0 )
		{
		close(corpus_out);
		terminate();
		}
	}

event zeek_init()
	{
	corpus_out = open("read.json");
	local files = split_string(getenv("POLICIES"), /\n/);
	corpus_left = |files|;
	for ( n, path in files )
		{
		corpus_lines[path] = vector();
		Input::add_event([$source=path, $reader=Input::READER_RAW, $name=fmt("corpus-%d", n), $fields=CorpusLine, $want_record=F,
		                  $ev=corpus_line]);
		}
	}
