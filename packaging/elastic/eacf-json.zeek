##! For a Zeek that writes its logs as tab-separated text: eacf's logs as JSON lines beside them, for what ships logs to
##! Elasticsearch. Not needed where LogAscii::use_json is set.

@load eacf

event zeek_init() &priority=-10
	{
	local written = vector(EACF::LOG, EACF::ACTIONS_LOG, EACF::STATS_LOG);
	local names = vector("eacf", "eacf_actions", "eacf_stats");
	for ( i, id in written )
		Log::add_filter(id, [$name="json", $path=names[i] + "_json", $config=table(["use_json"] = "T")]);
	}
