/* librabbitmq's headers, wherever the release has them (0.11: <amqp.h>, from 0.13: <rabbitmq-c/amqp.h>). */
#ifndef DROPBRIDGE_AMQP_LIB_H
#define DROPBRIDGE_AMQP_LIB_H

#if __has_include(<rabbitmq-c/amqp.h>)
#include <rabbitmq-c/amqp.h>
#include <rabbitmq-c/framing.h>
#include <rabbitmq-c/ssl_socket.h>
#include <rabbitmq-c/tcp_socket.h>
#else
#include <amqp.h>
#include <amqp_framing.h>
#include <amqp_ssl_socket.h>
#include <amqp_tcp_socket.h>
#endif

#endif
