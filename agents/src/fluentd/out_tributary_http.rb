# Sends batches by HTTP in the forms that several backends take. This file is the same for every policy.

require 'delegate'
require 'json'
require 'fluent/plugin/out_http'

module Fluent
  module Plugin
    # Fluentd's own output with bodies and credentials that it does not know.
    class TributaryHTTPOutput < HTTPOutput
      Fluent::Plugin.register_output('tributary_http', self)

      desc 'What a request is made of: lines, an array, an object of OTLP, or operations of a bulk request'
      config_param :body, :enum, list: %i[lines array otlp bulk], default: :lines
      desc 'The file with the secret of every request'
      config_param :secret_file, :string, default: nil
      desc 'The header that the secret goes to'
      config_param :secret_header, :string, default: 'Authorization'
      desc 'What stands before the secret there'
      config_param :secret_scheme, :string, default: nil
      desc 'With this user, the secret is a password'
      config_param :username, :string, default: nil

      desc 'The name that the certificate must carry'
      config_param :server_name, :string, default: nil
      desc 'How requests are compressed, also in a way that Fluentd itself does not know here'
      config_param :compress, :enum, list: %i[text gzip zstd], default: :text

      # A chunk whose text is another one.
      class Body < SimpleDelegator
        def initialize(chunk, text)
          super(chunk)
          @text = text
        end

        def read
          @text
        end
      end

      # What a server cannot take now, but may later. Everything else would be refused again.
      LATER = [401, 403, 404, 408, 425, 429, *500..599].freeze
      # `create` of an id that there is already.
      EXISTS = 409

      # Fluentd 1.19 depends on it.
      def configure(conf)
        super
        require 'zstd-ruby' if @compress == :zstd
      end

      def format(_tag, _time, record)
        case @body
        when :bulk then "#{JSON.generate(operation(record))}\n#{JSON.generate(record['document'], max_nesting: 0)}\n"
        when :lines then "#{JSON.generate(record, max_nesting: 0)}\n"
        else "#{JSON.generate(record, max_nesting: 0)},"
        end
      end

      def formatted_to_msgpack_binary?
        false
      end

      # Fluentd looks for it in the class itself.
      def write(chunk)
        super
      end

      private

      def operation(record)
        { 'create' => { '_index' => record['index'], '_id' => record['id'] }.compact }
      end

      def create_request(chunk, uri)
        text = chunk.read
        text = "[#{text.chop}]" if @body == :array
        text = "{\"resourceLogs\":[#{text.chop}]}" if @body == :otlp
        request = super(Body.new(chunk, text), uri)
        return request unless @compress == :zstd

        request['Content-Encoding'] = 'zstd'
        request.body = Zstd.compress(request.body)
        request
      end

      # Read each time, because it may have been replaced.
      def set_auth(request, _uri)
        return unless @secret_file

        secret = File.read(@secret_file).chomp
        if @username
          request.basic_auth(@username, secret)
        else
          request[@secret_header] = [@secret_scheme, secret].compact.join(' ')
        end
      end

      # As the original, but what comes back is looked at.
      def send_request(uri, request)
        return super unless @body == :bulk

        response = make_request_cached(uri, request)
        unless response.is_a?(Net::HTTPSuccess)
          message = "#{response.code} #{response.message} #{response.body.to_s[0, 1000]}"
          raise RetryableResponse, message if @retryable_response_codes.include?(response.code.to_i)

          raise UnrecoverableError, message
        end
        check_items(JSON.parse(response.body))
      end

      # There is one thread, and so one connection. With a name of its own, the server is still reached, and addressed, by the endpoint's.
      def make_request_cached(uri, request)
        return super unless @server_name

        request['Host'] = "#{uri.host}:#{uri.port}"
        @connection = connect(uri) unless @connection&.started?
        @connection.request(request)
      rescue StandardError
        @connection&.finish if @connection&.started?
        @connection = nil
        raise
      end

      def connect(uri)
        address = IPSocket.getaddress(uri.hostname)
        Net::HTTP.start(@server_name, uri.port, nil, nil, nil, nil, @http_opt.merge(ipaddr: address))
      end

      # A batch of which something may be taken later is sent again, whole: what is there already is not made twice.
      def check_items(answer)
        return unless answer['errors']

        failed = answer['items'].map { |item| item.values.first }.reject { |item| item['status'] < 300 || item['status'] == EXISTS }
        later = failed.find { |item| LATER.include?(item['status']) }
        raise RetryableResponse, "#{later['status']} #{JSON.generate(later['error'])}" if later
        return if failed.empty?

        log.error("#{failed.size} documents were refused and are dropped; the first one: #{JSON.generate(failed.first)[0, 1000]}")
      end
    end
  end
end
