// Greets whoever is named in the event. A function in Go is a program that asks the Runtime API for events; this one does it
// with the standard library alone. With AWS's library (github.com/aws/aws-lambda-go) main is lambda.Start(hello).
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"
)

type event struct {
	Name string `json:"name"`
}

type answer struct {
	Message string `json:"message"`
}

func hello(e event) (answer, error) {
	greeting := os.Getenv("GREETING")
	if greeting == "" {
		greeting = "Hello"
	}
	if e.Name == "" {
		e.Name = "world"
	}
	log.Printf("greeting %s", e.Name)
	return answer{fmt.Sprintf("%s, %s!", greeting, e.Name)}, nil
}

// post ends the program if the Runtime API is not content: nothing could be answered any more.
func post(url string, result any) {
	body, err := json.Marshal(result)
	if err != nil {
		log.Fatal(err)
	}
	response, err := http.Post(url, "application/json", bytes.NewReader(body))
	if err != nil || response.StatusCode != http.StatusAccepted {
		log.Fatal(url, response, err)
	}
	response.Body.Close()
}

func main() {
	api := "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/invocation/"
	for {
		next, err := http.Get(api + "next")
		if err != nil {
			log.Fatal(err)
		}
		var e event
		err = json.NewDecoder(next.Body).Decode(&e)
		next.Body.Close()
		id := next.Header.Get("Lambda-Runtime-Aws-Request-Id")
		var result answer
		if err == nil {
			result, err = hello(e)
		}
		if err != nil {
			post(api+id+"/error", map[string]string{"errorType": "error", "errorMessage": err.Error()})
		} else {
			post(api+id+"/response", result)
		}
	}
}
