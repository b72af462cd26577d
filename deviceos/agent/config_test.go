package agent_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hybridos-net/hybridos/chain/genesis"
	"github.com/hybridos-net/hybridos/deviceos/agent"
	"github.com/hybridos-net/hybridos/deviceos/vault"
)

func none(string) string { return "" }

const someNode = "/ip4/127.0.0.1/tcp/1/p2p/12D3KooWGzxzKZYveHXtpG6AsrUJBcWxHBFS2HsEoGTxrMLvKXtf"

func TestConfig_FileEnvironmentAndChecks(t *testing.T) {
	dir := t.TempDir()
	doc := &genesis.Doc{ChainID: "config-test", Time: 1, Validators: []genesis.Validator{{Name: "v", PubKey: make([]byte, 32)}}}
	cfg := agent.DefaultConfig()
	cfg.Model = "a \"quoted\" model"
	if _, err := agent.Init(dir, doc, cfg); err != nil {
		t.Fatal(err)
	}
	if _, err := agent.Init(dir, doc, cfg); !errors.Is(err, vault.ErrExists) {
		t.Fatalf("made a device twice: %v", err)
	}
	home, err := agent.OpenHome(dir)
	if err != nil || home.Genesis.Hash() != doc.Hash() {
		t.Fatalf("home: %v", err)
	}
	got, err := agent.LoadConfig(dir, none)
	if err != nil || got.Model != cfg.Model || got.Bus != cfg.Bus {
		t.Fatalf("%+v, %v", got, err)
	}
	got, err = agent.LoadConfig(dir, func(name string) string {
		return map[string]string{"HOS_AGENT_NODES": someNode + "," + someNode, "HOS_AGENT_BUS": "/b", "HOS_AGENT_LISTEN": "/ip4/127.0.0.1/tcp/0"}[name]
	})
	if err != nil || got.Bus != "/b" || len(got.Nodes) != 2 || !slices.Equal(got.Listen, []string{"/ip4/127.0.0.1/tcp/0"}) {
		t.Fatalf("%+v, %v", got, err)
	}
	if err := got.Validate(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(c *agent.Config){
		"no model":      func(c *agent.Config) { c.Model = "" },
		"long model":    func(c *agent.Config) { c.Model = strings.Repeat("m", 65) },
		"control":       func(c *agent.Config) { c.Model = "a\x1b[2J" },
		"no bus":        func(c *agent.Config) { c.Bus = "" },
		"no nodes":      func(c *agent.Config) { c.Nodes = nil },
		"node no id":    func(c *agent.Config) { c.Nodes = []string{"/ip4/127.0.0.1/tcp/1"} },
		"bad listen":    func(c *agent.Config) { c.Listen = []string{"127.0.0.1:1"} },
		"no listen":     func(c *agent.Config) { c.Listen = nil },
		"negative rate": func(c *agent.Config) { c.Rate = -1 },
		"log level":     func(c *agent.Config) { c.LogLevel = "loud" },
	} {
		bad := got
		change(&bad)
		if _, err := agent.New(agent.Options{Home: home, Config: bad}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	for name, text := range map[string]string{
		"unknown setting": "colour = \"red\"\n", "wrong type": "bus = 1\n", "not toml": "{", "too long": strings.Repeat("#", 70_000),
	} {
		if err := os.WriteFile(filepath.Join(dir, "agent.toml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := agent.LoadConfig(dir, none); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := agent.LoadConfig(t.TempDir(), none); !errors.Is(err, agent.ErrNoHome) {
		t.Errorf("empty directory: %v", err)
	}
	if _, err := agent.ReadGenesis(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no genesis: %v", err)
	}
}

// Each misuse of the command line ends with exit code 1, a cause and a hint,
// and leaves everything as it was.
func TestAgent_CommandLine(t *testing.T) {
	d := newDevice(t)
	empty := t.TempDir()
	taken, err := agent.ReadRun(d.home)
	if err != nil {
		t.Fatal(err)
	}
	listen, _, _ := strings.Cut(taken.Listen[0], "/p2p/")
	second := filepath.Join(t.TempDir(), "second")
	genesisFile := filepath.Join(d.home, "genesis.json")
	if _, stderr, err := runAgent(t, "init", "--home", second, "--genesis", genesisFile); err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	for name, c := range map[string]struct {
		args []string
		want []string
	}{
		"no home":         {[]string{"run"}, []string{"--home is missing", "try: hos-agent --home DIR"}},
		"no device":       {[]string{"run", "--home", empty}, []string{"no device lives here", "try: hos-agent init"}},
		"no genesis":      {[]string{"init", "--home", empty, "--genesis", empty + "/none"}, []string{"genesis document", "try: check the path"}},
		"keys are there":  {[]string{"init", "--home", d.home, "--genesis", genesisFile}, []string{"keys are there already", "try: give a new directory"}},
		"runs already":    {[]string{"run", "--home", d.home, "--node", someNode}, []string{"another process uses", "try: stop the other process"}},
		"port is taken":   {[]string{"run", "--home", second, "--node", someNode, "--listen", listen}, []string{"address already in use", "try: give another address"}},
		"bad node":        {[]string{"run", "--home", second, "--node", "here"}, []string{"want a multiaddress", "try:"}},
		"code when still": {[]string{"code", "--home", second}, []string{"no hos-agent is running", "try: start it with"}},
		"unknown flag":    {[]string{"run", "--colour", "red"}, []string{"unknown flag", "try: see hos-agent --help"}},
	} {
		t.Run(name, func(t *testing.T) {
			out, stderr, err := runAgent(t, c.args...)
			if err == nil || len(out) > 0 {
				t.Fatalf("accepted: %s", out)
			}
			for _, text := range c.want {
				if !strings.Contains(stderr, text) {
					t.Errorf("%q is missing in:\n%s", text, stderr)
				}
			}
		})
	}
	out, stderr, err := runAgent(t, "status", "--home", second)
	if err != nil || !strings.Contains(string(out), "running  false") {
		t.Fatalf("status: %v\n%s%s", err, out, stderr)
	}
	d.pair() // the device that was disturbed works
}
