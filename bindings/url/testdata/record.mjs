// Records what Node answers for the corpus below. Run: node record.mjs > golden.json (Node 20 or newer).
const inputs = [
  'https://example.com', 'HTTPS://EXAMPLE.com:443/a/../b/./c?x=1#y', 'http://user:pa%20ss@host:8080/p', 'http://a b/', 'http://[::1]:80/', 'http://[1:2::3]/x',
  'http://192.168.0.1.', 'http://0x7f.1/', 'http://256.256.256.256/', 'http://1e400/', 'http://ex%41mple.com/', 'http://münchen.de/ä?ö#ü', 'http://xn--mnchen-3ya.de/',
  'http://日本語.jp', 'http://faß.de/', 'http://a.b-.c/', 'http://%zz/', 'http:\\\\a\\b', 'file:///C|/x/../y', 'file://host/p', 'file:a', 'mailto:a@b.c', 'data:text/plain,hi there#f',
  'tel:+91-9876', 'sip:support@pbx.example;transport=tcp', 'javascript:alert(1)', 'blob:https://a.com/uuid', 'ws://h:80/x', 'wss://h:443/', 'ftp://h:21/', 'foo://Host:1/p?q#f', 'foo:/a/../b',
  'foo:///p', 'foo://', 'http://', 'https:', '//x', '', ' https://trim.me ', 'ht\ntp://x\t/y', 'http://a:65536', 'http://a:', 'http://a:0', 'http://a:99999', 'http://@h', 'http://u@h', 'http://:p@h', 'http://u:@h/',
  'http://h/%7Efoo/%2e%2E/x', 'http://h/a%2fb', 'http://h/<>"`{}|^', "http://h/?a='b'\"<>", 'foo://h/?\'', 'http://h/#<>"`', 'http://h/?', 'http://h/#', 'http://h?q', 'http://h#f', 'http://h/;a=b', 'http://h/a//b',
  'http://h/\u{1F600}', 'http://\u{1F600}.com', 'http://h/\ud800', 'http://a.com/x y', 'http://EXAMPLE.COM./', 'http://1.2.3/', 'http://a_b.c', 'http://-a.com', 'http://a..b', 'about:blank', 'http://[::127.0.0.1]', 'http://[::1', 'http://[1::2::3]',
]
const relative = [
  ['/a', 'http://h/b/c'], ['a', 'http://h/b/c'], ['../x', 'http://h/b/c/d'], ['?q', 'http://h/b?r'], ['#f', 'http://h/b?r#g'], ['//other/p', 'https://h/'], ['', 'http://h/a?b#c'], ['http:x', 'http://h/a/b'],
  ['https:x', 'http://h/a/b'], ['x', 'mailto:a@b'], ['#f', 'mailto:a@b'], ['../../..', 'file:///C:/a/b'], ['x', 'not a url'], ['\\x', 'http://h/a'], ['./:a', 'http://h'], ['/..//x', 'foo://h/a'], ['/c', 'file:///C:/a'],
]
const parts = (u) => ({ href: u.href, origin: u.origin, protocol: u.protocol, username: u.username, password: u.password, host: u.host, hostname: u.hostname, port: u.port, pathname: u.pathname, search: u.search, hash: u.hash, params: [...u.searchParams] })
const attempt = (f) => { try { return f() } catch (e) { return e.name } }
const setters = []
for (const base of ['http://u:p@h.com:8080/a/b?c=d#e', 'mailto:x@y?z', 'file:///p', 'foo://h/x', 'data:a  #x']) {
  for (const [name, values] of Object.entries({
    href: ['https://new/', 'bad'], protocol: ['https', 'ftp:', 'foo', 'ws://x', '1'], username: ['me', 'a b:@', ''], password: ['x/y', ''], host: ['n.com', 'n.com:81', 'a b', '', '[::1]:9', 'x/y'],
    hostname: ['n.com', 'n.com:81', 'ü.de', ''], port: ['80', '443', '9x', 'x', '', '70000'], pathname: ['/x', 'x y', '../..', '?#', ''], search: ['?a=b', 'c d', '', '?', '#'], hash: ['#z', 'q r', '', '#'],
  })) {
    for (const value of values) setters.push([base, name, value, attempt(() => { const u = new URL(base); u.searchParams; u[name] = value; return [u.href, [...u.searchParams]] })])
  }
}
const queries = ['', '?', 'a=b&c=d', '?a=1&a=2&b', 'a=b+c%20d', '&&=&=x&y=', '%zz=%41%e2%82&é=ü', 'a=%F0%9F%98%80', '%ff%fe=%80', '#x=1', 'a==b', '\u{1F600}=1', 'a=b\u0000c', "a='!()~*-._"]
process.stdout.write(JSON.stringify({
  node: process.version,
  parse: inputs.map((i) => [i.toWellFormed(), attempt(() => parts(new URL(i)))]),
  relative: relative.map(([i, b]) => [i, b, attempt(() => parts(new URL(i, b)))]),
  setters,
  queries: queries.map((q) => { const p = new URLSearchParams(q); return [q, [...p], String(p), p.size] }),
}, null, 1) + '\n')
