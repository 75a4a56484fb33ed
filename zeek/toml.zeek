##! The part of TOML that a policy is written in, one statement a line: comments, ``[table]``, ``[table.key]`` and ``[table."quoted key"]``,
##! ``key = value`` with a basic string, an integer, a float, a boolean, or an array of strings, which may take several lines. What this
##! refuses of TOML, ``eacf policy check`` refuses as well.

module EACF;

# What stands on the right of an equals sign.
type TomlValue: record {
	# string, integer, float, boolean or array
	kind: string;
	# As it is written, for messages.
	shown: string;
	text: string &default="";
	number: double &default=0.0;
	is_true: bool &default=F;
	items: vector of string &default=vector();
};

type TomlEntry: record {
	line: count;
	key: string;
	value: TomlValue;
};

type TomlTable: record {
	line: count;
	# As it is written: [label."video a"]; empty for what stands before the first table.
	header: string;
	# Its two parts; the second is unset where there is none.
	name: string &default="";
	key: string &optional;
	entries: table[string] of TomlEntry &ordered &default=table();
};

type TomlDocument: record {
	tables: vector of TomlTable &default=vector();
	# Why it cannot be read, with the line; empty: it was.
	problem: string &default="";
};

# What is read line by line.
type TomlReading: record {
	document: TomlDocument;
	at: TomlTable;
	line: count &default=0;
	seen: set[string, string] &default=set();
	# The array that is still open, and what was read of it; its key is empty while none is.
	array_key: string &default="";
	array_line: count &default=0;
	array: vector of string &default=vector();
};

const max_toml_lines = 10000;

# A basic string with two escapes, a comment, a word (bare key, dotted keys, number), a bracket, an equals sign, a comma.
const toml_token = /\x22([^\x22\x5c\x00-\x1f\x7f]|\x5c[\x22\x5c])*\x22|#[^\x00-\x08\x0a-\x1f\x7f]*|[A-Za-z0-9_.+-]+|[][=,]/;
const toml_bare_key = /[A-Za-z0-9_-]+/;
const toml_integer = /[+-]?(0|[1-9][0-9]{0,14})/;
const toml_float = /[+-]?(0|[1-9][0-9]{0,14})\.[0-9]+/;

function is_toml_string(token: string): bool
	{
	return token[0] == "\x22";
	}

# A string without its quotes and escapes.
function toml_text(token: string): string
	{
	local inside = token[1:-1];
	if ( "\\" !in inside )
		return inside;
	local text = "";
	local escaped = F;
	for ( c in inside )
		if ( escaped || c != "\\" )
			{
			text += c;
			escaped = F;
			}
		else
			escaped = T;
	return text;
	}

# The items of an array, from what stands between its brackets. Returns what is wrong with them.
function toml_items(tokens: vector of string, value: TomlValue): string
	{
	local wants_item = T;
	for ( _, token in tokens )
		{
		if ( wants_item )
			{
			if ( ! is_toml_string(token) )
				return fmt("%s: an array holds strings alone", token);
			value$items += toml_text(token);
			}
		else if ( token != "," )
			return fmt("%s: a comma is wanted between two strings", token);
		wants_item = ! wants_item;
		}
	return "";
	}

function toml_scalar(token: string): TomlValue
	{
	local value = TomlValue($kind="", $shown=token);
	if ( is_toml_string(token) )
		{
		value$kind = "string";
		value$text = toml_text(token);
		}
	else if ( token == toml_integer || token == toml_float )
		{
		value$kind = token == toml_integer ? "integer" : "float";
		value$number = to_double(token);
		}
	else if ( token == "true" || token == "false" )
		{
		value$kind = "boolean";
		value$is_true = token == "true";
		}
	return value;
	}

function begin_toml_table(r: TomlReading, tokens: vector of string): string
	{
	const wanted = "a table is [name], [name.key] or [name.\"quoted key\"]";
	local n = |tokens|;
	if ( n < 3 || n > 4 || tokens[n - 1] != "]" )
		return wanted;
	local t = TomlTable($line=r$line, $header=fmt("[%s]", join_string_vec(tokens[1:n - 1], "")));
	if ( n == 3 && is_toml_string(tokens[1]) )
		t$name = toml_text(tokens[1]);
	else if ( n == 3 )
		{
		local parts = split_string(tokens[1], /\./);
		if ( |parts| > 2 || parts[0] != toml_bare_key || ( |parts| == 2 && parts[1] != toml_bare_key ) )
			return wanted;
		t$name = parts[0];
		if ( |parts| == 2 )
			t$key = parts[1];
		}
	else
		{
		local name = tokens[1][:-1];
		if ( tokens[1][-1] != "." || name != toml_bare_key || ! is_toml_string(tokens[2]) )
			return wanted;
		t$name = name;
		t$key = toml_text(tokens[2]);
		}
	local id = t?$key ? "." + t$key : "";
	if ( [t$name, id] in r$seen )
		return fmt("%s: this table is there twice", t$header);
	add r$seen[t$name, id];
	r$at = t;
	r$document$tables += t;
	return "";
	}

function add_toml_entry(r: TomlReading, line: count, key: string, value: TomlValue): string
	{
	if ( key in r$at$entries )
		return fmt("%s: this key is there twice", key);
	r$at$entries[key] = TomlEntry($line=line, $key=key, $value=value);
	return "";
	}

# What was read of an array so far, its opening bracket left out.
function take_toml_array(r: TomlReading, tokens: vector of string): string
	{
	r$array += tokens;
	local n = |r$array|;
	if ( n == 0 || r$array[n - 1] != "]" )
		return "";
	local value = TomlValue($kind="array", $shown="[...]");
	local key = r$array_key;
	local problem = toml_items(r$array[:n - 1], value);
	r$array_key = "";
	r$array = vector();
	if ( problem != "" )
		return fmt("%s: %s", key, problem);
	return add_toml_entry(r, r$array_line, key, value);
	}

# One line; returns what is wrong with it.
function take_toml_line(r: TomlReading, line: string): string
	{
	const wanted = "a line is `key = value`, a table, or a comment; a value is a \"string\", a decimal number, true, false, or an array of strings";
	if ( ends_with(line, "\x0d") )
		line = line[:-1];
	local rest = gsub(line, toml_token, "");
	if ( rest != /[ \t]*/ )
		return fmt("%s cannot be read; %s", escape_string(sub_bytes(strip(line), 1, 80)), wanted);
	local tokens = find_all_ordered(line, toml_token);
	local n = |tokens|;
	if ( n > 0 && tokens[n - 1][0] == "#" )
		{
		tokens = tokens[:n - 1];
		--n;
		}
	if ( n == 0 )
		return "";
	if ( r$array_key != "" )
		return take_toml_array(r, tokens);
	if ( tokens[0] == "[" )
		return begin_toml_table(r, tokens);
	if ( n < 3 || tokens[0] != toml_bare_key || tokens[1] != "=" )
		return wanted;
	if ( tokens[2] == "[" )
		{
		r$array_key = tokens[0];
		r$array_line = r$line;
		return take_toml_array(r, tokens[3:]);
		}
	local value = toml_scalar(tokens[2]);
	if ( n > 3 || value$kind == "" )
		return fmt("%s: %s", tokens[0], wanted);
	return add_toml_entry(r, r$line, tokens[0], value);
	}

# The whole of a file.
function read_toml(lines: vector of string): TomlDocument
	{
	local top = TomlTable($line=1, $header="");
	local r = TomlReading($document=TomlDocument($tables=vector(top)), $at=top);
	if ( |lines| > max_toml_lines )
		{
		r$document$problem = fmt("line %d: a policy has at most %d lines", max_toml_lines + 1, max_toml_lines);
		return r$document;
		}
	for ( _, line in lines )
		{
		++r$line;
		local problem = take_toml_line(r, line);
		if ( problem != "" )
			{
			r$document$problem = fmt("line %d: %s", r$line, problem);
			return r$document;
			}
		}
	if ( r$array_key != "" )
		r$document$problem = fmt("line %d: %s: this array has no end", r$array_line, r$array_key);
	return r$document;
	}
