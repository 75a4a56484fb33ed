##! Workers: found by their subscription, gone with it. A message of samples goes to the one that owes the fewest
##! verdicts; one that owes and stays silent is set aside and asked again later.

@load ./account
@load ./collect

module EACF;

export {
	## A worker said hello for the first time, or again after it was set aside.
	global worker_up: event(worker: string, model: string);

	## A worker is no longer asked. *hung*: it is still there but does not answer.
	global worker_down: event(worker: string, hung: bool);

	## A worker serves another bundle now.
	global model_changed: event(worker: string, was: string, is_now: string);

	## Flows were shed since the last time this was raised.
	global flows_shed: event(n: count);

	## The topic on which this process hears verdicts.
	global verdict_topic: function(): string;
}

# Workers by id; those that are gone are not here, though flows may still wait for their last words.
global workers: table[string] of Worker = {};

# What each tap asks for (taps.zeek), beside what workers do.
global tap_needs: table[string] of Needs = {};

const flow_prefix = "eacf.flow.";
const worker_topic = /eacf\.flow\.[0-9a-f]{12}/;
const worker_id = /[0-9a-f]{12}/;
const model_id = /[0-9a-f]{12}/;
const zeek_topic = "eacf.zeek.";

# Ids in topics are free of dots, spaces and what does not print; 64 characters, as the contract allows.
function make_node_id(): string
	{
	local id = gsub(Cluster::node_id(), /[^!-\-\/-~]/, "_");
	if ( |id| > 64 )
		id = id[:48] + sha256_hash(id)[:16];
	return id;
	}

global node_id = "";
global my_topic = "";

function verdict_topic(): string
	{
	return my_topic;
	}

function same_needs(a: Needs, b: Needs): bool
	{
	return a$payload_bytes == b$payload_bytes && a$window_bytes == b$window_bytes && a$records == b$records
	       && a$chunks == b$chunks;
	}

function max_count(a: count, b: count): count
	{
	return a > b ? a : b;
	}

# The largest of each number, where 0 records means "to the end"; unless all of them are records only, where 0 means 8.
function join_needs(all_needs: vector of Needs): Needs
	{
	local n = Needs($payload_bytes=0, $window_bytes=0, $records=0, $chunks=F);
	local ends = T;
	for ( _, each in all_needs )
		{
		n$payload_bytes = max_count(n$payload_bytes, each$payload_bytes);
		n$window_bytes = max_count(n$window_bytes, each$window_bytes);
		n$chunks = n$chunks || each$chunks;
		}
	local stream = n$chunks || n$payload_bytes > 0;
	for ( _, each in all_needs )
		{
		local only = ! each$chunks && each$payload_bytes == 0;
		local records = each$records == 0 && only ? default_records : each$records;
		if ( records == 0 )
			ends = F;
		# Beside a model that wants the stream, one on record lengths alone does not bring the end of the sample nearer.
		n$records = max_count(n$records, stream && only ? 0 : records);
		}
	if ( ! ends )
		n$records = 0;
	return n;
	}

function update_needs()
	{
	local all_needs: vector of Needs = {};
	for ( _, w in workers )
		if ( w?$needs && w$state == "ready" )
			all_needs += w$needs;
	for ( _, n in tap_needs )
		all_needs += n;
	# With nobody left, what was asked for last goes on: a worker that is started again finds its samples.
	if ( |all_needs| == 0 )
		return;
	local joined = join_needs(all_needs);
	if ( joined$payload_bytes > max_payload )
		joined$payload_bytes = max_payload;
	set_needs(joined);
	}

global needs_changed: event();

event needs_changed()
	{
	update_needs();
	}

# A change handler sees the new value before it holds.
function on_max_payload(id: string, value: count): count
	{
	event EACF::needs_changed();
	return value;
	}

event zeek_init()
	{
	Option::set_change_handler("EACF::max_payload", on_max_payload);
	}

function count_ready()
	{
	local n = 0;
	for ( _, w in workers )
		if ( w$state == "ready" )
			++n;
	account$workers = n;
	}

function ask(w: Worker)
	{
	w$asked = current_time();
	Cluster::publish(w$topic, EACF::who);
	}

# The ready worker that owes the fewest, if it has room for n more.
function choose_worker(n: count): Worker
	{
	local best = Worker($id="", $topic="");
	for ( _, w in workers )
		if ( w$state == "ready" && ( capture || w$unanswered + n <= max_unanswered )
		     && ( best$id == "" || w$unanswered < best$unanswered ) )
			best = w;
	return best;
	}

# A worker said something; one that was set aside takes its share again.
function heard(id: string)
	{
	if ( id !in workers )
		return;
	local w = workers[id];
	w$silent_since = current_time();
	if ( w$state == "hung" && w?$model )
		{
		w$state = "ready";
		count_ready();
		update_needs();
		event EACF::worker_up(id, w$model);
		}
	}

# Anybody on the bus can subscribe as often as they like: a line for each would fill the log.
global warned: set[string] = {};

function warn_once(text: string)
	{
	if ( text in warned )
		return;
	add warned[text];
	Reporter::warning(text);
	}

# Worker subscriptions, also those that were there before us.
hook bus_subscription(topic: string)
	{
	if ( ! active || ! starts_with(topic, flow_prefix) )
		return;
	if ( topic != worker_topic )
		{
		warn_once("eacf: somebody subscribes to a topic that begins with eacf.flow. and is no worker's");
		return;
		}
	local id = topic[|flow_prefix|:];
	if ( id !in workers )
		{
		if ( |workers| >= max_workers )
			{
			warn_once(fmt("eacf: more than %d workers (EACF::max_workers), some are left out", max_workers));
			return;
			}
		workers[id] = Worker($id=id, $topic=topic);
		}
	ask(workers[id]);
	}

hook bus_unsubscription(topic: string)
	{
	if ( topic != worker_topic )
		return;
	local id = topic[|flow_prefix|:];
	if ( id !in workers )
		return;
	local w = workers[id];
	local was = w$state;
	# Those who hold it, flows that it may still answer while it drains, see that it is gone.
	w$state = "gone";
	delete workers[id];
	count_ready();
	update_needs();
	if ( was == "ready" )
		event EACF::worker_down(id, F);
	}

event hello(worker: string, model: string, n: Needs)
	{
	if ( ! active || worker !in workers || model != model_id )
		return;
	local w = workers[worker];
	local was = w$state;
	w$needs = n;
	w$state = "ready";
	w$silent_since = current_time();
	if ( w?$model && w$model != model )
		event EACF::model_changed(worker, w$model, model);
	w$model = model;
	count_ready();
	update_needs();
	if ( was != "ready" )
		event EACF::worker_up(worker, model);
	}

# Set aside who owes verdicts and is silent, ask again who was.
function watch_workers()
	{
	local now = current_time();
	local changed = F;
	for ( id, w in workers )
		{
		if ( w$state == "ready" && w$unanswered > 0 && now - w$silent_since > worker_timeout )
			{
			w$state = "hung";
			changed = T;
			ask(w);
			event EACF::worker_down(id, T);
			}
		else if ( w$state != "ready" && now - w$asked > worker_retry )
			ask(w);
		}
	if ( changed )
		{
		count_ready();
		update_needs();
		}
	}
