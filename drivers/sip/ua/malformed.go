package ua

import (
	"strings"

	msg "github.com/emiago/sipgo/sip"
)

const (
	// maxHeader bounds what we keep of a message: ids and names.
	maxHeader = 256
	// maxHeaders bounds the header fields of a message.
	maxHeaders = 128
)

// malformed says what is wrong with a request, and the status that says so; 0 if nothing is.
func malformed(req *msg.Request) (status int, fault string) {
	if fault := unlikely(req); fault != "" {
		return 400, fault
	}
	from, to, id, cseq, via := req.From(), req.To(), req.CallID(), req.CSeq(), req.Via()
	if from != nil && to != nil && tag(from.Params) == "" {
		trim(from.Params)
		trim(to.Params)
	}
	switch {
	case from == nil:
		return 400, "Missing From"
	case to == nil:
		return 400, "Missing To"
	case id == nil || *id == "":
		return 400, "Missing Call-ID"
	case cseq == nil:
		return 400, "Missing CSeq"
	case via == nil:
		return 400, "Missing Via"
	case req.SipVersion != "SIP/2.0":
		return 505, "Version Not Supported"
	case !strings.EqualFold(string(cseq.MethodName), string(req.Method)): // the library writes methods large
		return 400, "CSeq Method Mismatch"
	case len(*id) > maxHeader || len(tag(from.Params)) > maxHeader || len(tag(to.Params)) > maxHeader:
		return 400, "Call-ID Or Tag Too Long"
	case len(from.Address.User) > maxHeader || len(req.Recipient.User) > maxHeader:
		return 400, "User Too Long"
	case tag(from.Params) == "":
		return 400, "Missing From Tag"
	case req.Method == msg.INVITE && req.Contact() == nil:
		return 400, "Missing Contact"
	case req.Recipient.Scheme != "sip" && req.Recipient.Scheme != "sips":
		return 416, "Unsupported URI Scheme"
	case len(req.Recipient.Headers) > 0: // RFC 3261 section 19.1.1
		return 400, "Headers In Request-URI"
	}
	return 0, ""
}

// unlikely looks for headers that are there twice and must not be, and for very many. Whoever reads one and whoever
// reads the other would take two messages for one.
func unlikely(req *msg.Request) string {
	headers := req.Headers()
	if len(headers) > maxHeaders {
		return "Too Many Headers"
	}
	const from, to, id, cseq, length = 1, 2, 4, 8, 16
	seen := 0
	for _, h := range headers {
		kind := 0
		switch h.(type) {
		case *msg.FromHeader:
			kind = from
		case *msg.ToHeader:
			kind = to
		case *msg.CallIDHeader:
			kind = id
		case *msg.CSeqHeader:
			kind = cseq
		case *msg.ContentLengthHeader:
			kind = length
		}
		if seen&kind != 0 {
			return "A Header Is There Twice"
		}
		seen |= kind
	}
	return ""
}

// trim takes the white space from parameters, which may be around "=" (RFC 3261 section 25.1): the library leaves it.
func trim(p msg.HeaderParams) {
	for i := range p {
		p[i].K, p[i].V = strings.TrimSpace(p[i].K), strings.TrimSpace(p[i].V)
	}
}

func tag(p msg.HeaderParams) string {
	v, _ := p.Get("tag")
	return v
}
