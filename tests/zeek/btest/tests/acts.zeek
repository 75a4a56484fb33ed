# @TEST-DOC: Which table of the policy is for a flow, what is asked of whom, and what the line says of each answer that may come, or not.
#
# @TEST-EXEC: without-worker zeek %INPUT
# @TEST-EXEC: zeek-cut uid policy act priority dscp rate outcome why agent < eacf_actions.log > actions
# @TEST-EXEC: btest-diff actions
# @TEST-EXEC: btest-diff asked
# @TEST-EXEC: zeek-cut cmd state action target entity expire msg plugin < netcontrol.log > rules
# @TEST-EXEC: btest-diff rules

@load eacf

module EACF;

redef max_waiting_acts = 12;
redef act_timeout = 200msec;

const agent = "0123456789ab";
const other = "ba9876543210";
global out = open("asked");
global number = 0;

function verdict_on(label: string, confidence: double, server_name: string &default="", sni_label: string &default="", orig_h: addr &default=192.0.2.1, is_open: bool &default=T)
	{
	++number;
	local id = conn_id($orig_h=orig_h, $orig_p=count_to_port(40000 + number, tcp), $resp_h=198.51.100.1, $resp_p=443/tcp);
	local info = Info($ts=network_time(), $uid=fmt("C%02d", number), $id=id, $confidence=confidence, $model="000000000000",
	                  $payload_bytes=0, $chunks=0, $records=8);
	if ( label == "abstained" || label == "refused" )
		info$reason = label;
	else
		info$label = label;
	if ( server_name != "" )
		info$server_name = server_name;
	if ( sni_label != "" )
		info$sni_label = sni_label;
	decide(info, is_open);
	}

# What the agents are asked for, without the id's random half; then it is as if it was sent.
function tell_asked(what: string)
	{
	for ( _, a in acts_to_send )
		print out, what, fmt("%s %s/%d %s %s/%s width %d", a$kind, a$orig_h, port_to_count(a$orig_p), a$key,
		                     a?$priority ? a$priority : "-", a?$dscp ? cat(a$dscp) : "-", a$width), a$lasts;
	for ( _, id in unacts_to_send )
		print out, what, "take back", split_string(id, /\./)[1];
	acts_to_send = vector();
	unacts_to_send = vector();
	}

function act_id(n: count): string
	{
	return fmt("%s.%d", process_id, n);
	}

global second: event();
global third: event();
global finish: event();

# NetControl takes no rules before.
event NetControl::init_done()
	{
	policy = read_policy(vector("mode = \"act\"", "leave_alone = [\"203.0.113.0/24\", \"2001:db8::1\"]",
		"[group.media]", "labels = [\"video\", \"music\"]", "priority = \"high\"", "confidence = 0.8",
		"[label.music]", "dscp = \"ef\"", "rate = \"5mbit\"", "for = \"90s\"",
		"[label.torrent]", "block = true",
		"[label.copy]", "shunt = true",
		"[unknown]", "priority = \"low\"",
		"[\"server name contradicted\"]", "block = true", "confidence = 0.95", "for = \"1d\""));
	print out, "problem", policy_problem;
	has_policy = T;
	# Nobody is there.
	verdict_on("video", 0.8);
	verdict_on("torrent", 0.9);
	verdict_on("copy", 0.95);
	verdict_on("video", 0.79);
	verdict_on("other", 1.0);
	verdict_on("abstained", 0.1);
	verdict_on("refused", 0.1);
	verdict_on("music", 0.9, "", "", 203.0.113.9);
	verdict_on("music", 0.9, "", "", [2001:db8::1]);
	verdict_on("music", 0.9, "", "", [2001:db8::2], F);
	print out, "left alone", left_alone, "unsure", unsure;

	# Now an agent is; as if its subscription had come. Two refuse: the outcome is the last one's; one of two is enough.
	listen_to_agents();
	add_agent(agent);
	add_agent(other);
	verdict_on("music", 0.9);
	verdict_on("music", 0.96, "www.chat.example", "chat");
	verdict_on("music", 0.94, "www.chat.example", "chat");
	verdict_on("music", 0.96, "cloudflare-ech.com", "chat");
	verdict_on("music", 0.96, "", "chat");
	verdict_on("torrent", 0.9);
	tell_asked("first");
	event acted(agent, vector(Acted($id=act_id(1), $outcome="in place"), Acted($id=act_id(2), $outcome="refused", $why="full"),
	                          Acted($id=act_id(3), $outcome="refused", $why="too fast"), Acted($id=act_id(4), $outcome="exists"),
	                          Acted($id=act_id(6), $outcome="in place"), Acted($id="strange.1", $outcome="in place")));
	event acted(other, vector(Acted($id=act_id(1), $outcome="refused", $why="too late to matter"), Acted($id=act_id(3), $outcome="refused", $why="no class"),
	                          Acted($id=act_id(2), $outcome="in place")));
	# Nobody whom we know.
	event acted("aaaaaaaaaaaa", vector(Acted($id=act_id(5), $outcome="in place")));
	event second();
	}

event second()
	{
	# The end of a connection takes its act back; one of the agents takes the drop away by itself, then the other.
	end_qos("C11");
	tell_asked("second");
	event acted(agent, vector(Acted($id=act_id(6), $outcome="gone", $why="policy")));
	event acted(other, vector(Acted($id=act_id(2), $outcome="gone", $why="left alone")));
	# Another script's rules.
	NetControl::drop_address(198.51.100.9, 0sec);
	NetControl::add_rule(NetControl::Rule($ty=NetControl::DROP, $target=NetControl::FORWARD, $expire=1hr,
	                     $entity=NetControl::Entity($ty=NetControl::ADDRESS, $ip=[2001:db8:5::]/48)));
	NetControl::drop_connection(conn_id($orig_h=198.51.100.7, $orig_p=5353/udp, $resp_h=198.51.100.8, $resp_p=53/udp), 1min);
	NetControl::whitelist_address(198.51.100.3, 1min);
	tell_asked("second");
	schedule 800msec { third() };
	}

event third()
	{
	# What nobody answered is taken back.
	tell_asked("third");
	# More than may wait.
	for ( n in vector(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13) )
		verdict_on("abstained", 0.1);
	tell_asked("third");
	# They leave, and nobody is left to answer.
	hook bus_unsubscription("eacf.enforce." + agent);
	hook bus_unsubscription("eacf.enforce." + other);
	verdict_on("video", 0.8);
	verdict_on("torrent", 0.9);
	print out, "waiting", |waiting|, |asked|, |drops|, |drop_ids|, |qos_acts|;
	schedule 100msec { finish() };
	}

event finish()
	{
	terminate();
	}
