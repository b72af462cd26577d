package mqttbridge_test

import (
	"os"
	"strings"
	"testing"

	"github.com/hybridos-net/hybridos/mqttbridge/account"
	"github.com/hybridos-net/hybridos/mqttbridge/guard"
	"github.com/hybridos-net/hybridos/mqttbridge/topicmap"
)

// Every kind, code, payload and method stands in the specification.
func TestSpec_NamesEverything(t *testing.T) {
	raw, err := os.ReadFile("../docs/spec/mqtt.md")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, k := range guard.Kinds() {
		names = append(names, string(k))
	}
	for _, k := range account.Kinds() {
		names = append(names, string(k))
	}
	for _, c := range topicmap.Codes() {
		names = append(names, string(c))
	}
	for _, m := range topicmap.Mappings() {
		for _, c := range m.Commands {
			names = append(names, c.Payload, c.Method)
		}
		e, err := topicmap.Bind([]byte("0123456789abcdef"), m.Kind, "device", "name")
		if err != nil {
			t.Fatal(err)
		}
		for _, topic := range []string{e.Discovery, e.State, e.Availability, e.Command, e.Result} {
			names = append(names, strings.Replace(topic, e.Object, "OBJECT", 1))
		}
	}
	for _, name := range append(names, topicmap.BirthTopic, topicmap.StatusRefused) {
		if !strings.Contains(string(raw), "`"+name+"`") {
			t.Errorf("docs/spec/mqtt.md does not name `%s`", name)
		}
	}
}
