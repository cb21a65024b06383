package main

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// wantedBridge is how long a bridge may keep a packet.
const wantedBridge = time.Millisecond

// bridge measures how long a bridge keeps a packet. The jitter buffer holds it back, and the call's clock takes one each
// 20 ms; that is meant. In a tick of that clock one packet leaves to the caller and, when the caller's was decoded, mixed
// and coded anew, one to the callee. The time between the two, by the kernel's clock, is what the bridge takes.
func (b *bench) bridge(ctx context.Context) error {
	if !hasSIPp("bridges") {
		return nil
	}
	const calls = 20
	length := time.Duration(b.rounds) * b.length
	callers, err := newSound(false)
	if err != nil {
		return err
	}
	defer callers.close()
	callees, err := newSound(false)
	if err != nil {
		return err
	}
	defer callees.close()
	port, err := freeUDPPort()
	if err != nil {
		return err
	}
	s, err := b.startEngine(ctx, map[string]map[string]string{"bridge": {"PHONE": fmt.Sprintf("sip:desk@127.0.0.1:%d", port)}})
	if err != nil {
		return err
	}
	defer s.stop()
	desk, err := b.startSIPp(ctx, calling{scenario: "uas", calls: calls + 1, port: port, sound: callees.port})
	if err != nil {
		return err
	}
	defer desk.stop()
	clock := ticks{}
	callers.tell(clock.note)
	heard := map[*party]*streamHeard{} // owned by callees until they are ignored
	callees.tell(func(p *party, packet []byte, at time.Time) {
		if heard[p] == nil {
			heard[p] = &streamHeard{party: -1}
		}
		from, frame, ok := readStampPCMU(packet[rtpHeader:])
		heard[p].note(from, frame, ok, at)
	})
	phones, err := b.startSIPp(ctx, calling{scenario: "uac", to: s.sip, app: "bridge", calls: calls, rate: calls, sound: callers.port, hold: length + 6*time.Second})
	if err != nil {
		return err
	}
	defer phones.stop()
	hush := callers.speaking(ctx)
	err = callers.await(ctx, calls, 10*time.Second)
	if err == nil {
		pause(ctx, 3*time.Second) // the jitter buffers find their depth
	}
	began := time.Now()
	pause(ctx, length)
	ended := time.Now()
	hush()
	callers.ignore()
	callees.ignore()
	if err != nil {
		return err
	}

	var whole, kept distribution
	for _, one := range heard {
		list := one.between(began, ended)
		for _, h := range list {
			if sent, ok := callers.sentAt(one.party, h.frame); ok {
				whole = append(whole, h.at.Sub(sent))
			}
		}
		kept = append(kept, sinceTick(list, clock[one.party])...)
	}
	if len(whole) == 0 {
		return fmt.Errorf("no sound of the callers reached the callees")
	}
	slices.Sort(whole)
	slices.Sort(kept)
	fmt.Printf("\nBridge: %d of them, %d packets\n", calls, len(whole))
	fmt.Printf("  from the caller's send to the callee: p50 %.1f ms, p99 %.1f ms, jitter buffer and clock included\n", whole.at(0.5), whole.at(0.99))
	verdict(fmt.Sprintf("what the bridge takes: p50 %.3f ms, p99 %.3f ms", kept.at(0.5), kept.at(0.99)), fmt.Sprint(wantedBridge), kept.at(0.99) < 1)
	return nil
}
