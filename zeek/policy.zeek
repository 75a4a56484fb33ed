##! The policy: what is to be done about a flow, by its label. From TOML to records, checked as ``eacf policy check`` does.

@load ./toml

module EACF;

export {
	## What one table of the policy asks for.
	type PolicyTable: record {
		## The table in words: "label youtube", "group bulk", "unknown", "server name contradicted".
		name: string;
		## The confidence that it takes.
		confidence: double;
		## Name of a priority class.
		priority: string &optional;
		dscp: count &optional;
		## Bits a second, shared by all connections under this table.
		rate: count &optional;
		block: bool &default=F;
		## Zeek need not see the rest of the connection.
		shunt: bool &default=F;
		## For how long.
		lasts: interval &default=1hr;
	};

	## What a priority means on a gateway.
	type PolicyClass: record {
		## Mark of the connection (ct mark).
		mark: count &optional;
		## Handle of an HTB class.
		tc: string &optional;
	};

	## A policy as it was read.
	type Policy: record {
		## Whether something is done; F: what would be done is written in the log, no more.
		act: bool &default=F;
		## What a table takes that says nothing else.
		confidence: double &default=0.9;
		## Nothing is done about a flow with an end in one of these.
		leave_alone: set[subnet] &default=set();
		## Of an agent: rules at once, new ones a second, rules that one host may have.
		rules: count &default=20000;
		rules_per_second: count &default=1000;
		rules_per_host: count &default=1000;
		classes: table[string] of PolicyClass &default=table();
		## Tables by label, those of groups as well.
		labels: table[string] of PolicyTable &default=table();
		## Of the model's abstaining.
		unknown: PolicyTable &optional;
		## Of a server name that the traffic contradicts.
		contradicted: PolicyTable &optional;
	};
}

const default_classes: table[string] of PolicyClass = {
	["high"] = PolicyClass($tc="1:10"),
	["normal"] = PolicyClass($tc="1:20"),
	["low"] = PolicyClass($tc="1:30")
};

# A contradicted server name takes more than a label does.
const default_contradiction = 0.95;

# What is wrong with the policy that is being looked at; the first thing.
global policy_problem = "";

function refuse(t: TomlTable, e: TomlEntry, why: string)
	{
	if ( policy_problem == "" )
		policy_problem = fmt("line %d:%s %s = %s: %s", e$line, t$header == "" ? "" : fmt(" %s", t$header), e$key, e$value$shown, why);
	}

function refuse_table(t: TomlTable, why: string)
	{
	if ( policy_problem == "" )
		policy_problem = fmt("line %d: %s: %s", t$line, t$header, why);
	}

function text_of(t: TomlTable, e: TomlEntry): string
	{
	if ( e$value$kind != "string" )
		refuse(t, e, "a \"string\" is wanted");
	return e$value$text;
	}

function flag_of(t: TomlTable, e: TomlEntry): bool
	{
	if ( e$value$kind != "boolean" )
		refuse(t, e, "true or false is wanted");
	return e$value$is_true;
	}

function items_of(t: TomlTable, e: TomlEntry): vector of string
	{
	if ( e$value$kind != "array" )
		refuse(t, e, "an array of strings is wanted, [\"a\", \"b\"]");
	return e$value$items;
	}

function count_of(t: TomlTable, e: TomlEntry, least: count, most: count): count
	{
	local n = e$value$number;
	if ( e$value$kind == "integer" && n >= least && n <= most )
		return double_to_count(n);
	refuse(t, e, fmt("a whole number from %d to %d is wanted", least, most));
	return least;
	}

function confidence_of(t: TomlTable, e: TomlEntry): double
	{
	local n = e$value$number;
	if ( ( e$value$kind == "integer" || e$value$kind == "float" ) && n >= 0.0 && n <= 1.0 )
		return n;
	refuse(t, e, "a number from 0 to 1 is wanted");
	return 1.0;
	}

const dscp_names: table[string] of count = {
	["cs0"] = 0, ["cs1"] = 8, ["cs2"] = 16, ["cs3"] = 24, ["cs4"] = 32, ["cs5"] = 40, ["cs6"] = 48, ["cs7"] = 56,
	["af11"] = 10, ["af12"] = 12, ["af13"] = 14, ["af21"] = 18, ["af22"] = 20, ["af23"] = 22,
	["af31"] = 26, ["af32"] = 28, ["af33"] = 30, ["af41"] = 34, ["af42"] = 36, ["af43"] = 38, ["ef"] = 46
};

function dscp_of(t: TomlTable, e: TomlEntry): count
	{
	if ( e$value$kind != "string" )
		return count_of(t, e, 0, 63);
	if ( e$value$text in dscp_names )
		return dscp_names[e$value$text];
	refuse(t, e, "a DSCP is cs0 to cs7, af11 to af43, ef, or a number from 0 to 63");
	return 0;
	}

const rate_units: table[string] of count = { ["k"] = 1000, ["m"] = 1000000, ["g"] = 1000000000 };

const least_rate = 8000;
const most_rate = 1000000000000;

function rate_of(t: TomlTable, e: TomlEntry): count
	{
	local text = text_of(t, e);
	if ( text == /[1-9][0-9]{0,8}[kmg]bit/ )
		{
		local bits = to_count(text[:-4]) * rate_units[text[-4]];
		if ( bits >= least_rate && bits <= most_rate )
			return bits;
		}
	refuse(t, e, "a rate is a whole number with kbit, mbit or gbit, \"5mbit\", from 8kbit to 1000gbit");
	return 1;
	}

const time_units: table[string] of interval = { ["s"] = 1sec, ["m"] = 1min, ["h"] = 1hr, ["d"] = 1day };
const longest = 7days;

function lasts_of(t: TomlTable, e: TomlEntry): interval
	{
	local text = text_of(t, e);
	if ( text == /[1-9][0-9]{0,8}[smhd]/ )
		{
		local lasts = to_count(text[:-1]) * time_units[text[-1]];
		if ( lasts <= longest )
			return lasts;
		}
	refuse(t, e, "a time is a whole number with s, m, h or d, \"10m\", and at most 7d");
	return longest;
	}

# What Zeek's functions let pass beside addresses and subnets: blanks, a width with something behind it, octal or not.
function is_plain_address(text: string): bool
	{
	if ( text != /[0-9a-fA-F:.]+(\/[0-9]{1,3})?/ )
		return F;
	return "." !in text || text != /(.*[.:])?0[0-9]+([.\/].*)?/;
	}

function subnets_of(t: TomlTable, e: TomlEntry): set[subnet]
	{
	local subnets: set[subnet] = set();
	for ( _, text in items_of(t, e) )
		if ( is_plain_address(text) && is_valid_ip(text) )
			add subnets[addr_to_subnet(to_addr(text))];
		else if ( is_plain_address(text) && is_valid_subnet(text) )
			add subnets[to_subnet(text)];
		else
			refuse(t, e, fmt("%s is no address and no subnet (10.0.0.0/24, 2001:db8::/32)", text));
	return subnets;
	}

# Names of labels, groups and classes: what a verdict may hold.
function is_policy_name(text: string): bool
	{
	return |text| > 0 && |text| <= 64 && /[\x00-\x1f\x7f]|\xc2[\x80-\x9f]/ !in text;
	}

# Several words for a message, in order.
function words_of(words: set[string]): string
	{
	local sorted: vector of string = {};
	for ( word in words )
		sorted += word;
	return join_string_vec(sort(sorted, strcmp), ", ");
	}

function check_unknown_keys(t: TomlTable, known: set[string])
	{
	for ( key, e in t$entries )
		if ( key !in known )
			refuse(t, e, fmt("there is no such key here; there are %s", words_of(known)));
	}

const act_keys = set("priority", "dscp", "rate", "for", "block", "shunt");

function read_act(t: TomlTable, p: Policy, name: string, confidence: double): PolicyTable
	{
	local a = PolicyTable($name=name, $confidence=confidence);
	local names: set[string] = set();
	for ( class_name, _ in p$classes )
		add names[class_name];
	for ( key, e in t$entries )
		switch ( key )
			{
			case "priority":
				a$priority = text_of(t, e);
				if ( a$priority !in p$classes )
					refuse(t, e, fmt("there is no such class; there are %s, and [classes.NAME] makes one", words_of(names)));
				break;
			case "dscp": a$dscp = dscp_of(t, e); break;
			case "rate": a$rate = rate_of(t, e); break;
			case "for": a$lasts = lasts_of(t, e); break;
			case "block": a$block = flag_of(t, e); break;
			case "shunt": a$shunt = flag_of(t, e); break;
			case "confidence": a$confidence = confidence_of(t, e); break;
			}
	local is_qos = a?$priority || a?$dscp || a?$rate;
	if ( a$block && ( is_qos || a$shunt ) )
		refuse_table(t, "block leaves nothing for priority, dscp, rate or shunt: one or the other");
	if ( ! a$block && ! is_qos && ! a$shunt )
		refuse_table(t, "says nothing to do: one of priority, dscp, rate, block, shunt");
	return a;
	}

function read_top(t: TomlTable, p: Policy)
	{
	check_unknown_keys(t, set("mode", "confidence", "leave_alone"));
	for ( key, e in t$entries )
		switch ( key )
			{
			case "mode":
				p$act = text_of(t, e) == "act";
				if ( ! p$act && e$value$text != "dry-run" )
					refuse(t, e, "a mode is \"dry-run\" or \"act\"");
				break;
			case "confidence": p$confidence = confidence_of(t, e); break;
			case "leave_alone": p$leave_alone = subnets_of(t, e); break;
			}
	}

function read_bounds(t: TomlTable, p: Policy)
	{
	check_unknown_keys(t, set("rules", "rules_per_second", "rules_per_host"));
	for ( key, e in t$entries )
		{
		local n = count_of(t, e, 1, 1000000);
		switch ( key )
			{
			case "rules": p$rules = n; break;
			case "rules_per_second": p$rules_per_second = n; break;
			case "rules_per_host": p$rules_per_host = n; break;
			}
		}
	}

function read_class(t: TomlTable, p: Policy)
	{
	check_unknown_keys(t, set("mark", "tc"));
	local class = PolicyClass();
	for ( key, e in t$entries )
		if ( key == "mark" )
			class$mark = count_of(t, e, 1, 0x7fffffff);
		else if ( key == "tc" )
			{
			class$tc = text_of(t, e);
			if ( class$tc != /[0-9a-f]{1,4}:[0-9a-f]{1,4}/ )
				refuse(t, e, "a class of tc is two hexadecimal numbers of at most four digits, \"1:10\"");
			}
	if ( ! class?$mark && ! class?$tc )
		refuse_table(t, "says nothing of the gateway: one of mark, tc");
	p$classes[t$key] = class;
	}

# Tables of labels, and the labels of groups, which give way to them.
function read_label(t: TomlTable, p: Policy)
	{
	check_unknown_keys(t, act_keys | set("confidence"));
	p$labels[t$key] = read_act(t, p, fmt("label %s", t$key), p$confidence);
	}

function read_group(t: TomlTable, p: Policy, grouped: table[string] of PolicyTable)
	{
	check_unknown_keys(t, act_keys | set("confidence", "labels"));
	local group = read_act(t, p, fmt("group %s", t$key), p$confidence);
	local n = 0;
	if ( "labels" in t$entries )
		{
		local e = t$entries["labels"];
		for ( _, label in items_of(t, e) )
			{
			++n;
			if ( ! is_policy_name(label) )
				refuse(t, e, "a label has 1 to 64 bytes and no control characters");
			if ( label in grouped )
				refuse(t, e, fmt("%s is in %s already; a label is in one group", label, grouped[label]$name));
			grouped[label] = group;
			}
		}
	if ( n == 0 )
		refuse_table(t, "labels is missing, what belongs to the group: labels = [\"a\", \"b\"]");
	}

const policy_sections = set("bounds", "classes", "group", "label", "unknown", "server name contradicted");
const keyed_sections = set("classes", "group", "label");

function check_section(t: TomlTable)
	{
	if ( t$name !in policy_sections )
		refuse_table(t, fmt("there is no such table; there are %s", words_of(policy_sections)));
	else if ( t$name in keyed_sections && ! t?$key )
		refuse_table(t, fmt("a name is missing, [%s.NAME]", t$name));
	else if ( t$name !in keyed_sections && t?$key )
		refuse_table(t, "this table has no parts");
	else if ( t?$key && ! is_policy_name(t$key) )
		refuse_table(t, "a name has 1 to 64 bytes and no control characters");
	}

# A policy from the lines of its file. What is wrong with them is in policy_problem afterwards, empty if nothing is.
function read_policy(lines: vector of string): Policy
	{
	local p = Policy();
	local document = read_toml(lines);
	policy_problem = document$problem;
	if ( policy_problem == "" )
		for ( _, t in document$tables )
			{
			if ( t$header == "" )
				read_top(t, p);
			else
				check_section(t);
			if ( policy_problem == "" && t$name == "classes" )
				read_class(t, p);
			}
	if ( |p$classes| == 0 )
		p$classes = copy(default_classes);
	local grouped: table[string] of PolicyTable = {};
	for ( _, u in document$tables )
		{
		if ( policy_problem != "" )
			return p;
		switch ( u$name )
			{
			case "bounds": read_bounds(u, p); break;
			case "label": read_label(u, p); break;
			case "group": read_group(u, p, grouped); break;
			case "unknown":
				check_unknown_keys(u, act_keys);
				p$unknown = read_act(u, p, u$name, 0.0);
				break;
			case "server name contradicted":
				check_unknown_keys(u, act_keys | set("confidence"));
				p$contradicted = read_act(u, p, u$name, default_contradiction);
				break;
			}
		}
	for ( label, group in grouped )
		if ( label !in p$labels )
			p$labels[label] = group;
	return p;
	}
