package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/piopiy/piopiyd/bindings/kv"
)

// KV is the durable kv.Store: one JetStream key-value bucket whose keys begin with the app. One bucket for all apps,
// because every bucket costs a stream with its own files and goroutines, and hundreds of apps are usual; the app's
// token keeps them apart.
type KV struct {
	js     jetstream.JetStream
	stream jetstream.Stream
}

var _ kv.Store = (*KV)(nil)

const (
	kvPrefix = "$KV." + bucketKV + "."
	kvMaxKey = 512
	kvMaxLen = 64 << 10

	// headerExpires holds the exact time, in milliseconds since 1970, at which a value ends. The server removes it
	// within seconds of that; readers go by the header.
	headerExpires = "Piopiyd-Expires"
	// headerTTL and headerOperation are JetStream's.
	headerTTL       = "Nats-TTL"
	headerOperation = "KV-Operation"
	headerRollup    = "Nats-Rollup"

	// markerTTL is how long a deleted key leaves a trace.
	markerTTL = time.Minute
)

func openKV(ctx context.Context, j *Journal) (*KV, error) {
	_, err := j.js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{
		Bucket: bucketKV, Description: "what scripts keep with kv", History: 1,
		Storage: jetstream.FileStorage, Replicas: j.opts.Replicas, LimitMarkerTTL: markerTTL,
	})
	if err != nil {
		return nil, fmt.Errorf("open journal: bucket %s: %w", bucketKV, err)
	}
	s, err := j.js.Stream(ctx, "KV_"+bucketKV)
	if err != nil {
		return nil, fmt.Errorf("open journal: bucket %s: %w", bucketKV, err)
	}
	return &KV{js: j.js, stream: s}, j.noteLosses(ctx, bucketKV, s)
}

// subject checks app and key and returns where the key is kept.
func (s *KV) subject(app, key string) (string, error) {
	if key == "" {
		return "", errors.New("kv: the key is empty")
	}
	if len(key) > kvMaxKey {
		return "", fmt.Errorf("kv: the key is %d bytes, at most %d are possible", len(key), kvMaxKey)
	}
	if !utf8.ValidString(key) {
		return "", errors.New("kv: the key is not valid UTF-8")
	}
	if err := checkID("kv: app", app); err != nil {
		return "", err
	}
	return string(appendToken(append(appendToken([]byte(kvPrefix), app), '.'), key)), nil
}

// held is a key's value as the stream has it. seq is that of the last message, which may be a deletion's.
type held struct {
	value   []byte
	seq     uint64
	expires time.Time
	there   bool
}

func (s *KV) read(ctx context.Context, subject string) (held, error) {
	m, err := s.stream.GetLastMsgForSubject(ctx, subject)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return held{}, nil
	}
	if err != nil {
		return held{}, fmt.Errorf("kv: %w", err)
	}
	h := held{value: m.Data, seq: m.Sequence, there: m.Header.Get(headerOperation) == "" && m.Header.Get("Nats-Marker-Reason") == ""}
	if text := m.Header.Get(headerExpires); text != "" {
		ms, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return held{}, fmt.Errorf("kv: the stored value's end: %w", err)
		}
		h.expires = time.UnixMilli(ms)
		h.there = h.there && time.Now().Before(h.expires)
	}
	return h, nil
}

// write stores a value. after is the sequence that the key's last message must have; nil for any.
func (s *KV) write(ctx context.Context, subject string, value []byte, expires time.Time, after *uint64) (uint64, error) {
	m := nats.NewMsg(subject)
	m.Data = value
	if !expires.IsZero() {
		ttl := max(time.Second, time.Until(expires))
		m.Header.Set(headerExpires, strconv.FormatInt(expires.UnixMilli(), 10))
		m.Header.Set(headerTTL, strconv.FormatInt(int64(math.Ceil(ttl.Seconds())), 10))
	}
	var opts []jetstream.PublishOpt
	if after != nil {
		opts = append(opts, jetstream.WithExpectLastSequencePerSubject(*after))
	}
	ack, err := s.js.PublishMsg(ctx, m, opts...)
	if err != nil {
		return 0, kvError(err)
	}
	return ack.Sequence, nil
}

func kvError(err error) error {
	var api *jetstream.APIError
	if errors.As(err, &api) && api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence {
		return kv.ErrConflict
	}
	return fmt.Errorf("kv: %w", err)
}

// Get implements kv.Store.
func (s *KV) Get(ctx context.Context, app, key string) (value []byte, revision uint64, err error) {
	subject, err := s.subject(app, key)
	if err != nil {
		return nil, 0, err
	}
	h, err := s.read(ctx, subject)
	if err != nil {
		return nil, 0, err
	}
	if !h.there {
		return nil, 0, kv.ErrNotFound
	}
	return h.value, h.seq, nil
}

func checkValue(value []byte, ttl time.Duration) error {
	if len(value) > kvMaxLen {
		return fmt.Errorf("kv: the value is %d bytes, at most %d are possible", len(value), kvMaxLen)
	}
	if !json.Valid(value) {
		return errors.New("kv: the value is not JSON")
	}
	if ttl < 0 {
		return fmt.Errorf("kv: the time to live is negative: %s", ttl)
	}
	return nil
}

func expiry(ttl time.Duration) time.Time {
	if ttl == 0 {
		return time.Time{}
	}
	return time.Now().Add(max(ttl, time.Millisecond))
}

// Set implements kv.Store.
func (s *KV) Set(ctx context.Context, app, key string, value []byte, ttl time.Duration) (revision uint64, err error) {
	subject, err := s.subject(app, key)
	if err == nil {
		err = checkValue(value, ttl)
	}
	if err != nil {
		return 0, err
	}
	return s.write(ctx, subject, value, expiry(ttl), nil)
}

// CompareAndSet implements kv.Store.
func (s *KV) CompareAndSet(ctx context.Context, app, key string, value []byte, revision uint64, ttl time.Duration) (uint64, error) {
	subject, err := s.subject(app, key)
	if err == nil {
		err = checkValue(value, ttl)
	}
	if err != nil {
		return 0, err
	}
	h, err := s.read(ctx, subject)
	if err != nil {
		return 0, err
	}
	if h.there && h.seq != revision || !h.there && revision != 0 {
		return 0, kv.ErrConflict
	}
	return s.write(ctx, subject, value, expiry(ttl), &h.seq)
}

// Delete implements kv.Store.
func (s *KV) Delete(ctx context.Context, app, key string) (existed bool, err error) {
	subject, err := s.subject(app, key)
	if err != nil {
		return false, err
	}
	for {
		h, err := s.read(ctx, subject)
		if err != nil || !h.there {
			return false, err
		}
		m := nats.NewMsg(subject)
		m.Header.Set(headerOperation, "PURGE")
		m.Header.Set(headerRollup, "sub")
		m.Header.Set(headerTTL, strconv.Itoa(int(markerTTL.Seconds())))
		_, err = s.js.PublishMsg(ctx, m, jetstream.WithExpectLastSequencePerSubject(h.seq))
		if err = deleteError(err); !errors.Is(err, kv.ErrConflict) {
			return err == nil, err
		}
	}
}

func deleteError(err error) error {
	if err == nil {
		return nil
	}
	return kvError(err)
}

// Increment implements kv.Store.
func (s *KV) Increment(ctx context.Context, app, key string, delta float64) (sum float64, err error) {
	subject, err := s.subject(app, key)
	if err != nil {
		return 0, err
	}
	for {
		h, err := s.read(ctx, subject)
		if err != nil {
			return 0, err
		}
		sum, expires := 0.0, time.Time{}
		if h.there {
			expires = h.expires
			if err := json.Unmarshal(h.value, &sum); err != nil || string(h.value) == "null" {
				return 0, kv.ErrNotNumber
			}
		}
		sum += delta
		if math.IsInf(sum, 0) || math.IsNaN(sum) {
			return 0, fmt.Errorf("kv: increment by %v: the sum is not a finite number", delta)
		}
		value, err := json.Marshal(sum)
		if err != nil {
			return 0, fmt.Errorf("kv: %w", err)
		}
		if _, err = s.write(ctx, subject, value, expires, &h.seq); !errors.Is(err, kv.ErrConflict) {
			return sum, err
		}
	}
}

// List implements kv.Store. It looks at all of the app's keys, so it costs in proportion to them.
func (s *KV) List(ctx context.Context, app, prefix, after string, limit int) (keys []string, err error) {
	if err := checkID("kv: app", app); err != nil {
		return nil, err
	}
	base := kvPrefix + token(app) + "."
	info, err := s.stream.Info(ctx, jetstream.WithSubjectFilter(base+"*"))
	if err != nil {
		return nil, fmt.Errorf("kv: %w", err)
	}
	var candidates []string
	for subject := range info.State.Subjects {
		key, err := untoken(strings.TrimPrefix(subject, base))
		if err != nil {
			return nil, fmt.Errorf("kv: %w", err)
		}
		if strings.HasPrefix(key, prefix) && key > after {
			candidates = append(candidates, key)
		}
	}
	slices.Sort(candidates)
	for _, key := range candidates {
		if limit > 0 && len(keys) == limit {
			break
		}
		subject, err := s.subject(app, key)
		if err != nil {
			return nil, err
		}
		h, err := s.read(ctx, subject) // a deleted or ended key may still have its marker
		if err != nil {
			return nil, err
		}
		if h.there {
			keys = append(keys, key)
		}
	}
	return keys, nil
}
