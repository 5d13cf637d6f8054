package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTally(t *testing.T) {
	in := `{"ImportPath":"p/broken","Action":"build-output","Output":"broken.go:1: no\n"}
{"ImportPath":"p/broken","Action":"build-fail"}
{"Action":"start","Package":"p/broken"}
{"Action":"output","Package":"p/broken","Output":"FAIL\tp/broken [build failed]\n"}
{"Action":"fail","Package":"p/broken","FailedBuild":"p/broken"}
{"Action":"start","Package":"p/a"}
{"Action":"run","Package":"p/a","Test":"TestGood"}
{"Action":"output","Package":"p/a","Test":"TestGood","Output":"=== RUN   TestGood\n"}
{"Action":"output","Package":"p/a","Test":"TestGood","Output":"    a_test.go:5: nobody wants this\n"}
{"Action":"pass","Package":"p/a","Test":"TestGood","Elapsed":0}
{"Action":"output","Package":"p/a","Test":"TestLazy","Output":"    a_test.go:9: first this\n"}
{"Action":"output","Package":"p/a","Test":"TestLazy","Output":"    a_test.go:10: needs <root>\n"}
{"Action":"output","Package":"p/a","Test":"TestLazy","Output":"--- SKIP: TestLazy (0.00s)\n"}
{"Action":"skip","Package":"p/a","Test":"TestLazy","Elapsed":0}
{"Action":"output","Package":"p/a","Output":"PASS\n"}
{"Action":"output","Package":"p/a","Output":"ok  \tp/a\t0.1s\n"}
{"Action":"pass","Package":"p/a","Elapsed":0.1}
{"Action":"output","Package":"p/b","Test":"TestBad/sub","Output":"=== RUN   TestBad/sub\n"}
{"Action":"output","Package":"p/b","Test":"TestBad/sub","Output":"    b_test.go:5: why\n"}
{"Action":"fail","Package":"p/b","Test":"TestBad/sub","Elapsed":0}
{"Action":"output","Package":"p/b","Test":"TestBad","Output":"--- FAIL: TestBad (0.00s)\n"}
{"Action":"fail","Package":"p/b","Test":"TestBad","Elapsed":0}
{"Action":"output","Package":"p/b","Output":"FAIL\tp/b\t0.2s\n"}
{"Action":"fail","Package":"p/b","Elapsed":0.2}
`
	var out, results strings.Builder
	if err := tally(strings.NewReader(in), &out, &results); err != nil {
		t.Fatal(err)
	}
	wantOut := "broken.go:1: no\nFAIL\tp/broken [build failed]\nok  \tp/a\t0.1s\n" +
		"    b_test.go:5: why\n--- FAIL: TestBad (0.00s)\nFAIL\tp/b\t0.2s\n"
	if diff := cmp.Diff(wantOut, out.String()); diff != "" {
		t.Errorf("printed (-want +got):\n%s", diff)
	}
	wantResults := "fail\tp/broken\npass\tp/a TestGood\nskip\tp/a TestLazy\tneeds <root>\n" +
		"fail\tp/b TestBad/sub\nfail\tp/b TestBad\n"
	if diff := cmp.Diff(wantResults, results.String()); diff != "" {
		t.Errorf("results (-want +got):\n%s", diff)
	}
}

func TestTallyRefusesOtherInput(t *testing.T) {
	var out, results strings.Builder
	if err := tally(strings.NewReader("ok  \tp\t0.1s\n"), &out, &results); err == nil {
		t.Error("read what is no JSON")
	}
}
