// An afternoon with net/http and amqp091: deferred confirms on one channel.
package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

const (
	bodyMax = 1 << 20
	confirm = 2500 * time.Millisecond
)

func main() {
	secret := []byte(os.Getenv("WEBHOOK_SECRET"))
	connection, err := amqp.Dial(os.Getenv("AMQP_URL"))
	if err != nil {
		log.Fatal(err)
	}
	channel, err := connection.Channel()
	if err != nil {
		log.Fatal(err)
	}
	if err = channel.Confirm(false); err != nil {
		log.Fatal(err)
	}

	http.HandleFunc("POST /webhooks/dropcowboy", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, bodyMax))
		if err != nil {
			http.Error(w, "body", http.StatusBadRequest)
			return
		}
		mac := hmac.New(sha256.New, secret)
		mac.Write(body)
		given, _ := hex.DecodeString(r.Header.Get("X-DropCowboy-Signature"))
		if !hmac.Equal(given, mac.Sum(nil)) {
			http.Error(w, "signature", http.StatusUnauthorized)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), confirm)
		defer cancel()
		published, err := channel.PublishWithDeferredConfirmWithContext(ctx, "dropcowboy", "dropcowboy.events", true, false,
			amqp.Publishing{DeliveryMode: amqp.Persistent, Timestamp: time.Now(), Body: body})
		if err != nil {
			http.Error(w, "broker", http.StatusServiceUnavailable)
			return
		}
		if taken, err := published.WaitContext(ctx); err != nil || !taken {
			http.Error(w, "broker", http.StatusServiceUnavailable)
		}
	})

	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Getenv("PORT"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("ready")
	log.Fatal(http.Serve(listener, nil))
}
