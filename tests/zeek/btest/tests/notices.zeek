# @TEST-DOC: A watched label, a contradicted server name and a drift are noticed, once; an ECH public name, low confidence and alarms of no worker are not.
#
# @TEST-EXEC: without-worker zeek %INPUT
# @TEST-EXEC: zeek-cut note msg sub < notice.log > notices
# @TEST-EXEC: btest-diff notices

@load eacf

module EACF;

redef watched_labels = { "bulk-upload" };

global finish: event();

function said(server_name: string, sni_label: string, label: string, confidence: double)
	{
	local id = conn_id($orig_h=192.0.2.1, $orig_p=40000/tcp, $resp_h=198.51.100.1, $resp_p=443/tcp);
	hook labelled(Info($ts=network_time(), $uid="C1", $id=id, $server_name=server_name, $sni_label=sni_label,
	              $label=label, $confidence=confidence, $model="000000000000", $payload_bytes=0, $chunks=0, $records=8));
	}

event zeek_init()
	{
	said("www.chat.example", "chat", "chat", 0.99);
	said("www.chat.example", "chat", "video", 0.99);
	said("www.chat.example", "chat", "video", 0.99);
	said("www.chat.example", "chat", "video", 0.6);
	said("cloudflare-ech.com", "chat", "video", 0.99);
	said("files.bulk-upload.example", "bulk-upload", "bulk-upload", 0.8);
	event worker_down("000000000000", T);
	event model_changed("000000000000", "111111111111", "222222222222");
	event flows_shed(17);
	event alarm("000000000000", "111111111111", "accuracy", "wrong or abstained on 31.0%, 8.1% before");
	event alarm("000000000000", "111111111111", "accuracy", "said again within the hour");
	event alarm("000000000000", "222222222222", "accuracy", "another model");
	event alarm("000000000000", "111111111111", "inputs", "other lengths");
	event alarm("000000000000", "111111111111", "weather", "a kind that the contract does not know");
	event alarm("no worker", "111111111111", "inputs", "from nobody");
	event alarm("000000000000", "no model", "inputs", "of nothing");
	schedule 0.2sec { no_worker_for_long() };
	schedule 0.5sec { finish() };
	}

event finish()
	{
	terminate();
	}
