package guard

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mochi-mqtt/server/v2/packets"
)

const (
	connect4 = "10 0f 0004 4d515454 04 02 003c 0003 616263"
	connect5 = "10 10 0004 4d515454 05 02 003c 00 0003 616263"
)

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// feed runs a stream of packets through frame reader and validator until the
// first error.
func feed(stream []byte, limit int, accepted func(version byte, p frame)) error {
	var v Validator
	r := bufio.NewReader(bytes.NewReader(stream))
	for {
		first, err := r.ReadByte()
		if err != nil {
			return nil
		}
		p, err := readFrame(r, first, limit)
		if err != nil {
			return err
		}
		if err := v.Check(p.raw[0], p.raw[p.head:]); err != nil {
			return err
		}
		if accepted != nil {
			accepted(v.Version, p)
		}
	}
}

func TestValidator_Accepts(t *testing.T) {
	for name, stream := range map[string]string{
		"connect 3.1.1":          connect4,
		"connect 5":              connect5,
		"connect 5 empty id":     "10 0d 0004 4d515454 05 02 003c 00 0000",
		"connect 3.1.1 full":     "10 1c 0004 4d515454 04 f6 003c 0001 61 0001 77 0001 70 0003 757372 0002 7077",
		"connect 5 will props":   "10 1f 0004 4d515454 05 06 003c 05 1100000001 0001 61 05 1800000005 0001 77 0001 70",
		"publish qos0":           connect4 + "30 05 0001 61 6869",
		"publish qos1 dup":       connect4 + "3a 06 0001 61 0001 68",
		"publish 5 properties":   connect5 + "32 0c 0001 61 0001 05 0200000001 68",
		"publish empty payload":  connect4 + "30 03 0001 61",
		"acks 3.1.1":             connect4 + "40 02 0001 50 02 0001 62 02 0001 70 02 0001",
		"acks 5 reason":          connect5 + "40 03 0001 10 50 04 0001 80 00 62 03 0001 92 70 02 0001",
		"subscribe 3.1.1":        connect4 + "82 08 0001 0003 612f23 00",
		"subscribe 5":            connect5 + "82 0b 0001 02 0b01 0003 2b2f61 2d",
		"unsubscribe":            connect4 + "a2 05 0001 0001 61" + "a2 08 0001 0001 61 0001 62",
		"ping and disconnect":    connect4 + "c0 00 e0 00",
		"disconnect 5 reason":    connect5 + "e0 02 04 00",
		"disconnect 5 long form": connect5 + "e0 07 00 05 1100000000",
	} {
		t.Run(name, func(t *testing.T) {
			if err := feed(unhex(t, stream), DefaultMaxPacket, nil); err != nil {
				t.Fatalf("refused: %v", err)
			}
		})
	}
}

type refusal struct {
	name, stream string
	kind         ErrorKind
}

func refusals() []refusal {
	deep := strings.Repeat("2f", maxLevels)
	return []refusal{
		{"no connect first", "c0 00", FirstNotConnect},
		{"subscribe first", "82 06 0001 00 0001 61", FirstNotConnect},
		{"second connect", connect4 + connect4, SecondConnect},
		{"over the cap", connect4 + "30 ff ff ff 7f", PacketTooLarge},
		{"length of five bytes", connect4 + "30 ff ff ff ff 01", MalformedLength},
		{"length not minimal", connect4 + "c0 80 00", MalformedLength},
		{"ping with flags", connect4 + "c1 00", MalformedFlags},
		{"subscribe flags", connect4 + "80 06 0001 0001 61 00", MalformedFlags},
		{"pubrel flags", connect4 + "60 02 0001", MalformedFlags},
		{"publish qos 3", connect4 + "36 05 0001 61 0001", MalformedFlags},
		{"publish dup qos 0", connect4 + "38 03 0001 61", MalformedFlags},
		{"connect reserved flag", "10 0f 0004 4d515454 04 03 003c 0003 616263", MalformedFlags},
		{"connect will qos alone", "10 0f 0004 4d515454 04 0a 003c 0003 616263", MalformedFlags},
		{"connect will qos 3", "10 0f 0004 4d515454 04 1e 003c 0003 616263", MalformedFlags},
		{"connect password alone", "10 13 0004 4d515454 04 42 003c 0003 616263 0002 7077", MalformedFlags},
		{"ping with body", connect4 + "c0 01 00", MalformedPacket},
		{"truncated connect", "10 04 0004 4d51", MalformedPacket},
		{"connect left over", "10 10 0004 4d515454 04 02 003c 0003 616263 00", MalformedPacket},
		{"connect user runs out", "10 0f 0004 4d515454 04 82 003c 0003 616263", MalformedPacket},
		{"ack left over", connect4 + "40 03 0001 00", MalformedPacket},
		{"ack too short", connect4 + "40 01 00", MalformedPacket},
		{"topic runs out", connect4 + "30 03 0009 61", MalformedPacket},
		{"property block runs out", connect5 + "30 05 0001 61 09 02", MalformedPacket},
		{"topic not utf-8", connect4 + "30 04 0002 c328", MalformedString},
		{"topic with NUL", connect4 + "30 04 0002 6100", MalformedString},
		{"client id control", "10 0d 0004 4d515454 04 02 003c 0001 07", MalformedString},
		{"unknown property", connect5 + "30 06 0001 61 02 7f00", MalformedProperty},
		{"misplaced property", connect5 + "30 06 0001 61 02 0b01", MalformedProperty},
		{"repeated property", connect5 + "30 08 0001 61 04 0100 0101", MalformedProperty},
		{"flag property 2", connect5 + "30 06 0001 61 02 0102", MalformedProperty},
		{"subscription id 0", connect5 + "82 09 0001 02 0b00 0001 61 00", MalformedProperty},
		{"receive maximum 0", "10 13 0004 4d515454 05 02 003c 03 210000 0003 616263", MalformedProperty},
		{"packet size 0", "10 15 0004 4d515454 05 02 003c 05 2700000000 0003 616263", MalformedProperty},
		{"puback reason", connect5 + "40 03 0001 04", MalformedReason},
		{"disconnect reason", connect5 + "e0 01 8e", MalformedReason},
		{"connack from client", connect4 + "20 02 0000", UnexpectedType},
		{"reserved type 0", connect4 + "00 00", UnexpectedType},
		{"pingresp from client", connect4 + "d0 00", UnexpectedType},
		{"protocol name", "10 11 0006 4d5149736470 03 02 003c 0003 616263", UnsupportedProtocol},
		{"protocol level 6", "10 0f 0004 4d515454 06 02 003c 0003 616263", UnsupportedProtocol},
		{"empty id, kept session", "10 0c 0004 4d515454 04 00 003c 0000", BadClientID},
		{"publish packet id 0", connect4 + "32 05 0001 61 0000", BadPacketID},
		{"subscribe packet id 0", connect4 + "82 06 0000 0001 61 00", BadPacketID},
		{"publish no topic", connect4 + "30 02 0000", BadTopic},
		{"publish wildcard", connect4 + "30 05 0003 612f23", BadTopic},
		{"publish too deep", connect4 + "30 22 0020" + deep, BadTopic},
		{"response topic wildcard", connect5 + "30 08 0001 61 04 08 0001 2b", BadTopic},
		{"will wildcard", "10 13 0004 4d515454 04 06 003c 0001 61 0001 2b 0001 70", BadTopic},
		{"subscribe no filter", connect4 + "82 02 0001", BadFilter},
		{"subscribe empty filter", connect4 + "82 05 0001 0000 00", BadFilter},
		{"subscribe # inside", connect4 + "82 08 0001 0003 232f61 00", BadFilter},
		{"subscribe a+", connect4 + "82 07 0001 0002 612b 00", BadFilter},
		{"unsubscribe no filter", connect5 + "a2 03 0001 00", BadFilter},
		{"subscribe without options 5", connect5 + "82 06 0001 00 0001 61", BadOptions},
		{"subscribe without options 4", connect4 + "82 05 0001 0001 61", BadOptions},
		{"subscribe options 4", connect4 + "82 06 0001 0001 61 04", BadOptions},
		{"subscribe options qos 3", connect5 + "82 07 0001 00 0001 61 03", BadOptions},
		{"subscribe options reserved", connect5 + "82 07 0001 00 0001 61 40", BadOptions},
		{"subscribe retain handling 3", connect5 + "82 07 0001 00 0001 61 30", BadOptions},
		{"topic alias", connect5 + "30 07 0001 61 03 230001", TopicAlias},
		{"alias without topic", connect5 + "30 06 0000 03 230001", BadTopic},
		{"auth method", "10 15 0004 4d515454 05 02 003c 05 15 0002 4142 0003 616263", AuthMethod},
		{"auth packet", connect5 + "f0 00", AuthMethod},
	}
}

func TestValidator_Refuses(t *testing.T) {
	for _, c := range refusals() {
		t.Run(c.name, func(t *testing.T) {
			err := feed(unhex(t, c.stream), DefaultMaxPacket, nil)
			if !errors.Is(err, c.kind) {
				t.Fatalf("got %v, want %v", err, c.kind)
			}
		})
	}
}

func TestKinds_Complete(t *testing.T) {
	seen := map[ErrorKind]bool{}
	for _, k := range Kinds() {
		if seen[k] || !strings.HasPrefix(k.Error(), "mqtt guard: ") || k.reason() < 0x80 {
			t.Errorf("kind %q stands twice or has no error reason", k)
		}
		seen[k] = true
	}
	// Every kind that bytes alone can cause has a case above.
	caused := map[ErrorKind]bool{
		ConnectTimeout: true, PacketTimeout: true, KeepAliveTimeout: true, SlowReader: true,
		TooManyConnections: true, TooManyFromAddress: true, Panicked: true, // see front_test.go
	}
	for _, c := range refusals() {
		caused[c.kind] = true
	}
	if diff := cmp.Diff(seen, caused); diff != "" {
		t.Errorf("kinds without a test (-listed +tested):\n%s", diff)
	}
}

func TestReadFrame_AllocatesWhatCame(t *testing.T) {
	// 256 MiB declared under a cap that would let it pass, four bytes sent.
	stream := []byte{0xff, 0xff, 0xff, 0x7f, 1, 2, 3, 4}
	grown := testing.AllocsPerRun(1, func() {
		if _, err := readFrame(bufio.NewReader(bytes.NewReader(stream)), 0x30, 1<<29); err == nil {
			t.Error("truncated packet accepted")
		}
	})
	if grown > 50 {
		t.Errorf("%v allocations for four bytes", grown)
	}
}

// FuzzValidator checks that no stream upsets the guard, and that whatever the
// guard accepts the engine's decoder takes without a panic.
func FuzzValidator(f *testing.F) {
	for _, c := range refusals() {
		f.Add(unhex(f, c.stream))
	}
	f.Add(unhex(f, connect5+"82 0b 0001 02 0b01 0003 2b2f61 2d 32 0c 0001 61 0001 05 0200000001 68"))
	f.Add(unhex(f, connect4+"40 02 0001 50 02 0001 62 02 0001 70 02 0001 a2 05 0001 0001 61 c0 00 e0 00"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		_ = feed(stream, DefaultMaxPacket, func(version byte, p frame) {
			if err := decode(version, p); err != nil {
				t.Errorf("engine refuses what the guard accepts: %v\n%x", err, p.raw)
			}
		})
	})
}

// decode runs the engine's own decoder over an accepted packet.
func decode(version byte, p frame) error {
	fh := new(packets.FixedHeader)
	if err := fh.Decode(p.raw[0]); err != nil {
		return err
	}
	body := bytes.Clone(p.raw[p.head:])
	fh.Remaining = len(body)
	pk := packets.Packet{FixedHeader: *fh, ProtocolVersion: version}
	switch fh.Type {
	case packets.Connect:
		return pk.ConnectDecode(body)
	case packets.Publish:
		return pk.PublishDecode(body)
	case packets.Puback:
		return pk.PubackDecode(body)
	case packets.Pubrec:
		return pk.PubrecDecode(body)
	case packets.Pubrel:
		return pk.PubrelDecode(body)
	case packets.Pubcomp:
		return pk.PubcompDecode(body)
	case packets.Subscribe:
		return pk.SubscribeDecode(body)
	case packets.Unsubscribe:
		return pk.UnsubscribeDecode(body)
	case packets.Disconnect:
		return pk.DisconnectDecode(body)
	}
	return nil
}
