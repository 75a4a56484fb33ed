##! The least that looking at a TLS stream can cost: it is attached by the ClientHello's look, and detached at the first delivery.

@load-sigs ./floor.sig

global attached = 0;

event stream_deliver(c: connection, is_orig: bool, data: string)
	{
	++attached;
	disable_analyzer(c$id, current_analyzer());
	}

event zeek_done()
	{
	print fmt("attached to %d", attached);
	}
