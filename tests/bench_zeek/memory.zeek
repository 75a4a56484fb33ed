##! Writes to `rss` what is resident when the last packet of a capture was read, connections that are still open among it.

event Pcap::file_done(path: string) &priority=-10
	{
	system(fmt("cat /proc/%d/status > rss", getpid()));
	}
