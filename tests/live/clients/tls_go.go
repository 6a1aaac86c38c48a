// tls_go serve PORT CERT KEY | get URL TIMES: TLS by Go's own crypto/tls.
package main

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
)

func serve(port, cert, key string) {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(strings.Trim(r.URL.Path, "/"))
		w.Write([]byte(strings.Repeat("y", n)))
	})
	l, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		panic(err)
	}
	fmt.Println("up")
	panic(http.ServeTLS(l, nil, cert, key))
}

func main() {
	if os.Args[1] == "serve" {
		serve(os.Args[2], os.Args[3], os.Args[4])
	}
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: len(os.Args) > 4}}
	times, _ := strconv.Atoi(os.Args[3])
	for i := 0; i < times; i++ {
		r, err := client.Get(os.Args[2])
		if err != nil {
			panic(err)
		}
		io.Copy(io.Discard, r.Body)
		r.Body.Close()
		fmt.Println(r.StatusCode)
	}
}
