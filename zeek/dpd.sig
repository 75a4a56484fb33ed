# The look of a ClientHello, as in base/protocols/ssl/dpd.sig: gives us the stream of any TLS connection, on any port.
# The condition is F while no model wants more than record lengths, and then nothing is attached.
signature eacf_client_hello {
  ip-proto == tcp
  payload /^\x16\x03[\x00\x01\x02\x03]..\x01...\x03[\x00\x01\x02\x03].*/
  tcp-state originator
  eval EACF::wants_stream
  enable "STREAM_EVENT"
}
