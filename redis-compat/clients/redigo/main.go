// vdb through redigo, Go's client.
//
//	redigo PORT
package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/gomodule/redigo/redis"
)

const key = "key \x00\r\n"

var passed, failed int

// Set by the build: redigo does not know its version.
var version = "?"

func blob(values ...float32) []byte {
	var out bytes.Buffer
	if err := binary.Write(&out, binary.LittleEndian, values); err != nil {
		panic(err)
	}
	return out.Bytes()
}

// plain turns byte strings of a reply into strings, at any depth.
func plain(reply interface{}) interface{} {
	switch v := reply.(type) {
	case []byte:
		return string(v)
	case []interface{}:
		out := []interface{}{}
		for _, member := range v {
			out = append(out, plain(member))
		}
		return out
	}
	return reply
}

func list(members ...interface{}) []interface{} { return members }

// steps runs steps on one connection; the first thing that goes wrong in a step is its error.
type steps struct {
	conn redis.Conn
	err  error
}

func (s *steps) check(found, wanted interface{}) {
	if s.err == nil && !reflect.DeepEqual(found, wanted) {
		s.err = fmt.Errorf("%q instead of %q", found, wanted)
	}
}

func (s *steps) do(wanted interface{}, command string, args ...interface{}) {
	reply, err := s.conn.Do(command, args...)
	if err != nil && s.err == nil {
		s.err = err
		return
	}
	s.check(plain(reply), wanted)
}

func (s *steps) refused(words, command string, args ...interface{}) {
	_, err := s.conn.Do(command, args...)
	if s.err == nil && (err == nil || !strings.Contains(err.Error(), words)) {
		s.err = fmt.Errorf("%v lacks %q", err, words)
	}
}

func (s *steps) step(name string, run func()) {
	s.err = nil
	run()
	if s.err == nil {
		passed++
		return
	}
	failed++
	fmt.Printf("FAIL %s: %v\n", name, s.err)
}

func (s *steps) pipeline() {
	for i := 0; i < 1000; i++ {
		s.conn.Send("SET", fmt.Sprint("p", i), i)
		s.conn.Send("GET", fmt.Sprint("p", i))
	}
	s.conn.Flush()
	for i := 0; i < 1000; i++ {
		set, setErr := s.conn.Receive()
		get, getErr := s.conn.Receive()
		s.check(list(plain(set), setErr, plain(get), getErr), list("OK", nil, fmt.Sprint(i), nil))
	}
}

func (s *steps) strings() {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	large := strings.Repeat("x", 1<<20)
	s.step("connect", func() {
		s.do("PONG", "PING")
		s.do("words", "ECHO", "words")
		s.do("steps", "CLIENT", "GETNAME")
	})
	s.step("binary values", func() {
		s.do("OK", "SET", key, all)
		s.do(string(all), "GET", key)
		s.do(nil, "GET", "none")
	})
	s.step("large values", func() {
		s.do("OK", "SET", "large", large)
		s.do(large, "GET", "large")
	})
	s.step("pipeline", s.pipeline)
	s.step("transaction", func() {
		s.conn.Send("MULTI")
		s.conn.Send("SET", "n", 7)
		s.conn.Send("INCR", "n")
		s.conn.Send("GET", "n")
		s.do(list("OK", int64(8), "8"), "EXEC")
	})
	s.step("errors", func() {
		s.do("OK", "SET", "text", "v")
		s.refused("WRONGTYPE", "VCARD", "text")
		s.refused("unknown command", "NOSUCH")
		s.refused("not an integer", "INCR", "text")
		s.do("PONG", "PING")
	})
	s.step("expiry", func() {
		s.do("OK", "SET", "e", "v", "EX", 100)
		s.do(int64(100), "TTL", "e")
		s.do("OK", "PSETEX", "e", 30, "v")
		time.Sleep(150 * time.Millisecond)
		s.do(nil, "GET", "e")
	})
}

func (s *steps) vectors() {
	s.step("vector set", func() {
		s.do(int64(1), "VADD", "set", "FP32", blob(3, 4), "a")
		s.do(int64(1), "VADD", "set", "FP32", blob(4, 3), "b")
		s.do(int64(1), "VADD", "set", "FP32", blob(-3, 4), "c", "SETATTR", `{"n":1}`)
		s.do(list("a", "b", "c"), "VSIM", "set", "ELE", "a")
		s.do(list("a", "1"), "VSIM", "set", "FP32", blob(3, 4), "WITHSCORES", "COUNT", 1)
		s.do(list("c"), "VSIM", "set", "ELE", "a", "FILTER", ".n == 1")
		s.do(list("3", "4"), "VEMB", "set", "a")
	})
	s.step("collection", func() {
		s.do("OK", "VCREATE", "c", "DIM", 2, "METRIC", "L2")
		s.do(list(int64(1), int64(1)), "VMADD", "c", "FP32", 2, "x", key, blob(1, 0, 0, 1))
		s.do(list(list("x", "0"), list(key, "2")), "VSEARCH", "c", "FP32", blob(1, 0), "WITHDIST")
		s.do("OK", "VDROP", "c")
	})
	s.step("pipeline of vectors", func() {
		for i := 0; i < 1000; i++ {
			s.conn.Send("VADD", "many", "FP32", blob(float32(i), 1), i)
		}
		s.conn.Flush()
		for i := 0; i < 1000; i++ {
			added, _ := s.conn.Receive()
			s.check(added, int64(1))
		}
		s.do(list("0"), "VSIM", "many", "FP32", blob(0, 1), "COUNT", 1)
	})
}

func main() {
	conn, err := redis.Dial("tcp", "127.0.0.1:"+os.Args[1], redis.DialClientName("steps"))
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("client redigo", version, "RESP2")
	s := &steps{conn: conn}
	s.do("OK", "FLUSHALL")
	s.strings()
	s.vectors()
	fmt.Printf("%d passed, %d failed, 0 skipped\n", passed, failed)
	if failed != 0 {
		os.Exit(1)
	}
}
