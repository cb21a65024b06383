package rest

import (
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/pcmo"
)

// record is a call detail record as the queries return it (protocol page 3.4).
type record struct {
	Duration  int            `json:"duration"`
	Balance   any            `json:"balance"`
	Rate      any            `json:"rate"`
	From      pcmo.Number    `json:"from"`
	To        pcmo.Number    `json:"to"`
	Time      int64          `json:"time"`
	Leg       call.Leg       `json:"leg"`
	Direction call.Direction `json:"direction"`
	Status    call.Status    `json:"status"`
}

// newRecord translates a CDR. Balance and rate are the carrier's where its record has them, and "0" otherwise, since
// piopiyd does not bill.
func newRecord(r call.CDR) record {
	var billed struct {
		Balance any `json:"balance"`
		Rate    any `json:"call_rate"`
	}
	_ = json.Unmarshal(r.Raw, &billed) // a record of our own may have none
	if billed.Balance == nil {
		billed.Balance = "0"
	}
	if billed.Rate == nil {
		billed.Rate = "0"
	}
	started := int64(0)
	if !r.Start.IsZero() {
		started = r.Start.UnixMilli()
	}
	return record{
		Duration: int(r.Duration.Seconds()), Balance: billed.Balance, Rate: billed.Rate,
		From: pcmo.Number(r.From), To: pcmo.Number(r.To), Time: started,
		Leg: r.Leg, Direction: r.Direction, Status: r.Status,
	}
}

// notServed says that a part of the API has nothing behind it.
func notServed(what string) *refusal {
	return &refusal{status: http.StatusNotFound, code: http.StatusNotFound, word: "not_served", message: what + " are not kept by this daemon"}
}

// ours leaves the records that the request may see.
func (q *request) ours(records []call.CDR) []call.CDR {
	var list []call.CDR
	for _, r := range records {
		if q.grant.allows(r.App) {
			list = append(list, r)
		}
	}
	return list
}

func noRecord(key string) *refusal {
	return &refusal{status: http.StatusNotFound, code: http.StatusNotFound, word: "cdr_not_found", message: "no call detail record has this " + key, field: key}
}

// callRecord is POST /v1/piopiy/cmiuuid_cdr: the record of one leg; of a call's legs the first.
func (a *API) callRecord(q *request, in *fields) (any, *refusal) {
	id := canonicalID(in.text("cmiuuid", true))
	if in.refused != nil {
		return nil, in.refused
	}
	if a.opts.Records == nil {
		return nil, notServed("call detail records")
	}
	all, err := a.opts.Records.ByCall(q.ctx, id)
	if err != nil {
		return nil, a.refuse(q.ctx, err)
	}
	records := q.ours(all)
	if len(records) == 0 {
		return nil, noRecord("cmiuuid")
	}
	found := records[0]
	for _, r := range records {
		if r.LegID == id {
			found = r
		}
	}
	return struct {
		CDR     record `json:"cdr"`
		Code    int    `json:"code"`
		CMICode int    `json:"cmi_code"`
	}{newRecord(found), http.StatusOK, http.StatusOK}, nil
}

// requestRecords is POST /v1/piopiy/requestid_cdr: the records of a call that was ordered, one per leg.
func (a *API) requestRecords(q *request, in *fields) (any, *refusal) {
	id := in.text("request_id", true)
	if in.refused != nil {
		return nil, in.refused
	}
	if a.opts.Records == nil {
		return nil, notServed("call detail records")
	}
	all, err := a.opts.Records.ByRequest(q.ctx, id)
	if err != nil {
		return nil, a.refuse(q.ctx, err)
	}
	var list []record
	for _, r := range q.ours(all) {
		list = append(list, newRecord(r))
	}
	if len(list) == 0 {
		return nil, noRecord("request_id")
	}
	return struct {
		Count   int      `json:"count"`
		CDR     []record `json:"cdr"`
		Code    int      `json:"code"`
		CMICode int      `json:"cmi_code"`
	}{len(list), list, http.StatusOK, http.StatusOK}, nil
}

// channels is POST /v2/piopiy/get_channels: how many calls of the app are under way, as a string.
func (a *API) channels(q *request, _ *fields) (any, *refusal) {
	app := a.app(q)
	if app == "" && !q.grant.All {
		return nil, a.refuse(q.ctx, ErrNoApp)
	}
	n, err := a.opts.Platform.Channels(q.ctx, app)
	if err != nil {
		return nil, a.refuse(q.ctx, err)
	}
	return struct {
		Code    int    `json:"code"`
		CMICode int    `json:"cmi_code"`
		Channel string `json:"channel"`
	}{http.StatusOK, http.StatusOK, strconv.Itoa(n)}, nil
}
