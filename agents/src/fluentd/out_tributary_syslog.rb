# Sends messages of RFC 5424 over TCP, one a line. This file is the same for every policy.

require 'fluent/plugin/output'

module Fluent
  module Plugin
    # Keeps one connection for one thread.
    class TributarySyslogOutput < Output
      Fluent::Plugin.register_output('tributary_syslog', self)
      helpers :socket

      desc 'A DNS name or an address'
      config_param :host, :string
      desc 'The port'
      config_param :port, :integer
      desc 'Whether by TLS'
      config_param :tls, :bool, default: false
      desc 'Certificate authorities, beside the system\'s'
      config_param :ca_file, :string, default: nil
      desc 'What is shown to a server that asks for a certificate'
      config_param :client_certificate, :string, default: nil
      desc 'Its key'
      config_param :client_key, :string, default: nil
      desc 'The name that the certificate must carry'
      config_param :server_name, :string, default: nil
      desc 'Whether any certificate is accepted'
      config_param :insecure, :bool, default: false

      # Seconds.
      CONNECT_TIMEOUT = 10
      SEND_TIMEOUT = 60

      def format(_tag, _time, record)
        "#{record['line']}\n"
      end

      # The protocol has no answer: what a broken connection had taken is lost, and the batch is sent again.
      def write(chunk)
        @socket = connect if @socket.nil? || gone?(@socket)
        @socket.write(chunk.read)
      rescue StandardError
        disconnect
        raise
      end

      def close
        disconnect
        super
      end

      private

      # A server that is gone has ended its side, on which nothing else ever comes.
      def gone?(socket)
        answer = socket.read_nonblock(1024, exception: false)
        answer.nil?
      rescue StandardError
        true
      end

      def connect
        options = { connect_timeout: CONNECT_TIMEOUT, send_timeout: SEND_TIMEOUT, linger_timeout: 1 }
        return socket_create_tcp(@host, @port, **options) unless @tls

        socket_create_tls(
          @host, @port,
          insecure: @insecure, verify_fqdn: true, fqdn: @server_name || @host,
          cert_paths: @ca_file, enable_system_cert_store: @ca_file.nil?,
          cert_path: @client_certificate, private_key_path: @client_key, **options
        )
      end

      def disconnect
        @socket&.close
      rescue StandardError
        nil
      ensure
        @socket = nil
      end
    end
  end
end
