package guard

import "strings"

// topic reads a topic name: not empty, bounded, no wildcards.
func (c *cursor) topic(what string) {
	name := c.text(what)
	if c.err == nil {
		c.checkTopic(name)
	}
}

func (c *cursor) checkTopic(name string) {
	if name == "" {
		c.fail(BadTopic, "empty topic")
	} else if len(name) > maxTopic || strings.Count(name, "/") >= maxLevels {
		c.fail(BadTopic, "topic too long or too deep")
	} else if strings.ContainsAny(name, "+#") {
		c.fail(BadTopic, "wildcard in a topic name")
	}
}

// filter reads the nth topic filter of a packet: wildcards stand alone in their
// level and # only at the end.
func (c *cursor) filter(n int) {
	if c.err == nil && n == 0 && len(c.rest) == 0 {
		c.fail(BadFilter, "no filter")
		return
	}
	if n >= maxFilters {
		c.fail(BadFilter, "too many filters")
		return
	}
	f := c.text("filter")
	if c.err != nil {
		return
	}
	levels := strings.Split(f, "/")
	if f == "" || len(f) > maxTopic || len(levels) > maxLevels {
		c.fail(BadFilter, "filter empty, too long or too deep")
		return
	}
	for i, level := range levels {
		last := i == len(levels)-1
		if len(level) > 1 && strings.ContainsAny(level, "+#") || level == "#" && !last {
			c.fail(BadFilter, "wildcard out of place")
			return
		}
	}
}
