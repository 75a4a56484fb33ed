##! Taps: listeners that get copies of samples (``eacf record --bus``). Never waited for: a tap says how much it has
##! received, and never has more than its own window on the way to it; what does not fit it does not get.

@load ./workers

module EACF;

# A tap, as this Zeek process sees it.
type Tap: record {
	id: string;
	topic: string;
	# From here on as it said itself.
	share: double &default=0.0;
	window: count &default=0;
	# Flows sent to it, and received by its own account; the difference is on its way, or was lost.
	sent: count &default=0;
	received: count &default=0;
	lost: count &default=0;
	# Flows that it wanted and did not get, for want of room.
	skipped: count &default=0;
	# How often in a row it has said the same number although more was sent.
	repeated: count &default=0;
	heard: time &default=double_to_time(0.0);
	state: string &default="greeting";
};

global taps: table[string] of Tap = {};

const tap_prefix = "eacf.tap.";
const tap_topic = /eacf\.tap\.[0-9a-f]{12}/;

# Whatever a tap says, no more is on its way to it; it would fill Zeek's own socket.
const max_tap_window = 1000;

# Said so often in a row, what has not arrived never will.
const lost_after = 5;

hook bus_subscription(topic: string)
	{
	if ( ! active || topic != tap_topic )
		return;
	local id = topic[|tap_prefix|:];
	if ( id !in taps )
		{
		if ( |taps| >= max_workers )
			return;
		taps[id] = Tap($id=id, $topic=topic);
		}
	Cluster::publish(topic, EACF::tap_who, my_topic);
	}

hook bus_unsubscription(topic: string)
	{
	if ( topic != tap_topic )
		return;
	local id = topic[|tap_prefix|:];
	delete taps[id];
	if ( id in tap_needs )
		{
		delete tap_needs[id];
		update_needs();
		}
	}

event tap_ready(tap: string, n: Needs, share: double, received: count, window: count)
	{
	if ( ! active || tap !in taps || ! ( share > 0.0 && share <= 1.0 ) )
		return;
	if ( window > max_tap_window )
		window = max_tap_window;
	local t = taps[tap];
	t$heard = current_time();
	t$share = share;
	t$window = window;
	if ( received > t$sent )
		received = t$sent;
	if ( t$state != "ready" )
		{
		# What has not arrived while it was silent never will.
		t$state = "ready";
		t$lost += t$sent - received;
		t$sent = received;
		t$repeated = 0;
		}
	if ( received == t$received && t$sent > received )
		{
		++t$repeated;
		if ( t$repeated >= lost_after )
			{
			t$lost += t$sent - received;
			t$sent = received;
			t$repeated = 0;
			}
		}
	else
		t$repeated = 0;
	t$received = received;
	if ( tap !in tap_needs || ! same_needs(tap_needs[tap], n) )
		{
		tap_needs[tap] = n;
		update_needs();
		}
	}

# Copies of a message's samples, as much as each tap wants and has room for.
function send_to_taps(samples: vector of Sample)
	{
	for ( _, t in taps )
		{
		if ( t$state != "ready" )
			next;
		local chosen: vector of Sample = samples;
		if ( t$share < 1.0 )
			{
			chosen = vector();
			for ( _, s in samples )
				if ( fnv1a32(s$uid) < t$share * 4294967296.0 )
					chosen += s;
			}
		if ( |chosen| == 0 )
			next;
		# The first of them, as many as there is room for.
		local room = t$window > t$sent - t$received ? t$window - ( t$sent - t$received ) : 0;
		if ( room < |chosen| )
			{
			t$skipped += |chosen| - room;
			if ( room == 0 )
				next;
			chosen = chosen[:room];
			}
		t$sent += |chosen|;
		Cluster::publish(t$topic, EACF::flows, my_topic, chosen);
		}
	}

# One that has fallen silent gets no more, and nothing is collected for it.
function watch_taps()
	{
	local now = current_time();
	for ( id, t in taps )
		if ( t$state == "ready" && now - t$heard > tap_timeout )
			{
			t$state = "hung";
			delete tap_needs[id];
			update_needs();
			}
	}
