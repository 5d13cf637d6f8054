package oem

import (
	"strings"
	"testing"
)

func TestDecodeName(t *testing.T) {
	tests := []struct {
		name string
		page int
		in   string
		want string
	}{
		{"empty", 850, "", ""},
		{"plain", 850, "HOST2", "HOST2"},
		{"padded", 850, "HOST2          ", "HOST2"},
		{"inner blank", 850, " MY HOST ", " MY HOST"},
		{"terminated", 850, "HOST2\x00", "HOST2"},
		{"padded and terminated", 850, "HOST2  \x00\x00 ", "HOST2"},
		{"NUL and blank inside", 850, "A \x00 \x82 \x01", "A  é"},
		{"controls", 850, "\x01\x02__MSBROWSE__\x02\x1B\x7F", "__MSBROWSE__"},
		{"line ends", 850, "A\r\nB\x14C", "ABC"},
		{"only blanks", 850, "   ", ""},
		{"850", 850, "\x9ABER", "ÜBER"},
		{"C1", 28591, "A\x85\x9BB", "AB"},
		{"separators", 65001, "A\u2028\u2029\u0085B", "AB"},
		{"undefined", 1252, "A\x81", "A\uFFFD"},
		{"cut at 15 bytes", 932, "A\x93\xFA\x93", "A日\uFFFD"},
		{"invalid UTF-8", 65001, "A\xFF", "A\uFFFD"},
	}
	for _, tt := range tests {
		if got := mustLookup(t, tt.page).DecodeName([]byte(tt.in)); got != tt.want {
			t.Errorf("%s: page %d: DecodeName(%q) = %+q, want %+q", tt.name, tt.page, tt.in, got, tt.want)
		}
	}
}

func TestEncodeName(t *testing.T) {
	tests := []struct {
		name string
		page int
		in   string
		want string
	}{
		{"empty", 850, "", ""},
		{"ascii", 850, "Host-2 z", "HOST-2 Z"},
		{"capital in the page", 850, "über", "\x9ABER"},
		{"capital not in the page", 437, "à", "\x85"},
		{"capital in 850", 850, "à", "\xB7"},
		{"no capital", 850, "straße", "STRA\xE1E"},
		{"866", 866, "хост", "\x95\x8E\x91\x92"},
		{"737", 737, "άς", "\xEA\x91"},
		{"857", 857, "ışık", "I\x9EIK"},
		{"932", 932, "日ａ", "\x93\xFA\x82\x60"},
		{"UTF-8", 65001, "é", "É"},
	}
	for _, tt := range tests {
		got, err := mustLookup(t, tt.page).EncodeName(tt.in)
		if string(got) != tt.want || err != nil {
			t.Errorf("%s: page %d: EncodeName(%+q) = %q, %v; want %q", tt.name, tt.page, tt.in, got, err, tt.want)
		}
	}
}

func TestEncodeNameErrors(t *testing.T) {
	tests := []struct {
		name string
		page int
		in   string
		want string // in the error
	}{
		{"no code", 850, "x日", "code page 850 has no '日' (U+65E5)"},
		{"no code, percent", 864, "5%", "code page 864 has no '%' (U+0025)"},
		{"control", 850, "a\x1Bb", `"\x1b" cannot be part of a name`},
		{"NUL", 850, "a\x00", `"\x00" cannot be part of a name`},
		{"line end", 850, "a\nb", `"\n" cannot be part of a name`},
		{"C1", 28591, "a\u0085", `"\u0085" cannot be part of a name`},
		{"separator", 65001, "a\u2028", `"\u2028" cannot be part of a name`},
		{"invalid UTF-8", 65001, "a\xFFb", `"\xff" cannot be part of a name`},
		{"replacement character", 65001, "a\uFFFDb", `"�" cannot be part of a name`},
	}
	for _, tt := range tests {
		b, err := mustLookup(t, tt.page).EncodeName(tt.in)
		if b != nil || err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: page %d: EncodeName(%+q) = %q, %v; want an error with %q", tt.name, tt.page, tt.in, b, err, tt.want)
		}
	}
}

func BenchmarkDecodeName(b *testing.B) {
	p, in := mustLookup(b, Default), []byte("HOST2          ")
	b.ReportAllocs()
	for b.Loop() {
		p.DecodeName(in)
	}
}
