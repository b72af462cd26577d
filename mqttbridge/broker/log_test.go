package broker

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
)

func TestEngineLog_LeavesOutPackets(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(engineLog{slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})})
	log.With("will", "hunter2").Info("seen", "packet", "hunter2", "client", "c1")
	log.WithGroup("g").Warn("seen", "pk", "hunter2", "payload", "hunter2")
	got := out.String()
	if strings.Contains(got, "hunter2") || !strings.Contains(got, "client=c1") {
		t.Errorf("log is %s", got)
	}
	if strings.Contains(got, "level=INFO") || !strings.Contains(got, "level=WARN") {
		t.Errorf("levels are wrong: %s", got)
	}
	quiet := slog.New(engineLog{slog.NewTextHandler(&out, nil)})
	if quiet.Enabled(t.Context(), slog.LevelInfo) {
		t.Error("the engine's info is not our debug")
	}
}

func TestNew_RefusesHalfConfig(t *testing.T) {
	if _, err := New(Config{Handle: func(Message) {}}); err == nil {
		t.Error("no directory accepted")
	}
	if _, err := New(Config{}); err == nil {
		t.Error("empty config accepted")
	}
}
