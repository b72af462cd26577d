package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestMain_Errors(t *testing.T) {
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad.toml")
	if err := os.WriteFile(bad, []byte("validator = 4"), 0o600); err != nil {
		t.Fatal(err)
	}
	none := filepath.Join(dir, "none")
	for name, c := range map[string]struct {
		args []string
		exit int
		try  string
	}{
		"nothing":         {nil, exitUsage, "--help"},
		"unknown command": {[]string{"fly"}, exitUsage, "--help"},
		"unknown flag":    {[]string{"up", "--wings"}, exitUsage, "--help"},
		"no network":      {[]string{"status", "--dir", none}, exitError, "hos-testnet up"},
		"down of none":    {[]string{"down", "--dir", none}, exitError, "hos-testnet up"},
		"bad manifest":    {[]string{"up", "--dir", none, "--manifest", bad}, exitError, "shapes"},
		"no manifest":     {[]string{"up", "--dir", none, "--manifest", none}, exitError, "path"},
		"bad shape":       {[]string{"up", "--dir", none, "--shape", "round"}, exitError, "shapes"},
		"bad number":      {[]string{"up", "--dir", none, "--validators", "0"}, exitError, "shapes"},
		"no programs":     {[]string{"up", "--dir", none, "--bin-dir", dir}, exitError, "make build"},
		"not empty":       {[]string{"up", "--dir", dir, "--bin-dir", programs(t)}, exitError, "--dir"},
		"join of nothing": {[]string{"join", "--dir", none}, exitError, "hos-testnet"},
		"join no genesis": {[]string{"join", "--dir", none, "--genesis", none, "--node", "x", "--peer", "y"}, exitError, "path"},
		"join bad file":   {[]string{"join", "--dir", none, "--genesis", bad, "--node", "x", "--peer", "y"}, exitError, "hos-testnet"},
	} {
		t.Run(name, func(t *testing.T) {
			var out, talk bytes.Buffer
			if got := Main(t.Context(), c.args, &out, &talk); got != c.exit {
				t.Errorf("exit code %d, want %d", got, c.exit)
			}
			_, try, ok := strings.Cut(talk.String(), "\ntry: ")
			if !ok || !strings.Contains(try, c.try) {
				t.Errorf("no line that begins with try: and tells of %q:\n%s", c.try, talk.String())
			}
			if out.Len() > 0 {
				t.Errorf("results after an error: %s", out.String())
			}
			if _, err := os.Stat(none); !os.IsNotExist(err) {
				t.Errorf("%s was made: %v", none, err)
			}
		})
	}
}

// programs is a directory with files that have the names of the programs.
func programs(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, p := range []string{"hosd", "hbusd", "hos-agent", "hos-lock", "hos-bridge", "hos"} {
		if err := os.WriteFile(filepath.Join(dir, p), nil, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestMain_Shapes(t *testing.T) {
	var out, talk bytes.Buffer
	if got := Main(t.Context(), []string{"shapes"}, &out, &talk); got != exitOK || !strings.HasPrefix(out.String(), "default ") {
		t.Errorf("exit code %d: %s%s", got, out.String(), talk.String())
	}
}

func TestDefaultDir(t *testing.T) {
	for want, env := range map[string]map[string]string{
		"/a":                               {"HOS_TESTNET": "/a", "HOME": "/h"},
		"/s/hybridos-testnet":              {"XDG_STATE_HOME": "/s", "HOME": "/h"},
		"/h/.local/state/hybridos-testnet": {"XDG_STATE_HOME": "relative", "HOME": "/h"},
		"hybridos-testnet":                 {},
	} {
		if got := defaultDir(func(k string) string { return env[k] }); got != want {
			t.Errorf("%v gives %q, want %q", env, got, want)
		}
	}
}
