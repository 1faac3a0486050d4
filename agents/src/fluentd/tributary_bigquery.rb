# Rows for BigQuery, by the method tabledata.insertAll of its API. This file is the same for every policy. It uses nothing of Fluentd.

require 'json'
require 'net/http'
require 'uri'

module Tributary
  # A table, which says of rows what becomes of them.
  class BigQueryTable
    def initialize(api:, project:, dataset:, table:, token:)
      @api = URI(api)
      names = [project, dataset, table].map { |name| URI.encode_www_form_component(name).gsub('+', '%20') }
      @path = format('/bigquery/v2/projects/%s/datasets/%s/tables/%s/insertAll', *names)
      @token = token
    end

    # The status and the object of the answer. A token that is refused is replaced once.
    def insert(rows)
      text = body(rows)
      status, answer = post(text)
      return [status, answer] unless status == 401

      @token.forget
      post(text)
    end

    def close
      @connection&.finish if @connection&.started?
    rescue IOError
      nil
    ensure
      @connection = nil
    end

    private

    def body(rows)
      rows = rows.map { |row| "{\"insertId\":\"#{row.id}\",\"json\":#{row.json}}" }
      "{\"kind\":\"bigquery#tableDataInsertAllRequest\",\"skipInvalidRows\":true,\"rows\":[#{rows.join(',')}]}"
    end

    def post(text)
      request = Net::HTTP::Post.new(@path, 'Content-Type' => 'application/json', 'Authorization' => "Bearer #{@token.get}")
      request.body = text
      response = connection.request(request)
      [response.code.to_i, object(response)]
    rescue StandardError
      close
      raise
    end

    # What is between here and BigQuery answers in other formats; but nothing else may be taken for a success.
    def object(response)
      found = JSON.parse(response.body.to_s)
      found.is_a?(Hash) ? found : {}
    rescue JSON::ParserError
      raise if response.is_a?(Net::HTTPSuccess)

      { 'error' => { 'message' => response.body.to_s[0, 500] } }
    end

    def connection
      return @connection if @connection&.started?

      @connection = Net::HTTP.new(@api.hostname, @api.port)
      @connection.use_ssl = @api.scheme == 'https'
      @connection.open_timeout = 10
      @connection.read_timeout = 60
      @connection.keep_alive_timeout = 30
      @connection.start
    end
  end

  # One row: its identifier, by which BigQuery knows it when it comes again, and its JSON.
  Row = Struct.new(:id, :json)

  # Sends rows until each is taken, or given up because the table will never take it.
  class Rows
    # What is not settled comes again.
    class Again < StandardError; end

    # BigQuery takes 50,000 rows and 10 MB in a request.
    MOST_ROWS = 5_000
    MOST_BYTES = 5 << 20
    # While a table has taken no row yet, it is the table that no row fits. Nothing is given up then, for so many seconds.
    PATIENCE = 86_400
    # So many rows are tried one by one to find one that such a table takes.
    MOST_REFUSED = 8
    # Only this is final. Others, such as `stopped`, `timeout`, `backendError` or `quotaExceeded`, pass.
    FINAL = 'invalid'
    # Rows have the same columns always, so a missing one is the table's to get.
    MISSING_COLUMN = /\Ano such field/i.freeze
    REMEDIES = {
      401 => 'put the key of a service account that may use it into credentialsSecretRef',
      403 => 'give the identity the role BigQuery Data Editor on the table, or wait for the quota',
      404 => 'create the table, or mend projectId, dataset and table'
    }.freeze

    # `table` is a BigQueryTable, `refusals` is told why a row is given up.
    def initialize(table, refusals)
      @table = table
      @refusals = refusals
      @takes = false
    end

    # Sends the rows of a chunk that are not settled yet. Raises while some are left. What was settled of a chunk is known until
    # another one comes.
    def deliver(chunk, rows)
      @settled = {} unless @chunk == chunk
      @chunk = chunk
      @refused = []
      @later = nil
      requests(rows.reject { |row| @settled[row.id] }) { |some| insert(some) }
      conclude
    end

    private

    # Rows in as many requests as they need.
    def requests(rows)
      some = []
      bytes = 0
      rows.each do |row|
        if some.size == MOST_ROWS || (bytes + row.json.bytesize > MOST_BYTES && !some.empty?)
          yield some
          some = []
          bytes = 0
        end
        some << row
        bytes += row.json.bytesize
      end
      yield some unless some.empty?
    end

    def insert(rows)
      status, answer = @table.insert(rows)
      message = "#{status} #{answer.dig('error', 'message')}"
      case status
      when 200..299 then sort(rows, answer['insertErrors'] || [])
      when 400, 413 then halve(rows, message)
      else raise Again, [message, REMEDIES[status]].compact.join(': ')
      end
    end

    # One row can spoil a request.
    def halve(rows, message)
      return refuse(rows.first, message) if rows.size == 1

      rows.each_slice((rows.size + 1) / 2) { |half| insert(half) }
    end

    def sort(rows, failures)
      failures = failures.to_h { |failure| [failure['index'].to_i, failure['errors'] || []] }
      taken, failed = rows.each_with_index.partition { |_, at| !failures.key?(at) }
      taken.each { |row, _| settle(row) }
      @takes ||= !taken.empty?
      failed.each { |row, at| judge(row, failures[at]) }
    end

    def judge(row, errors)
      final = errors.find { |error| error['reason'] == FINAL }
      return @later ||= "#{errors.first&.fetch('reason', nil)} for some rows" unless final

      message = final.values_at('location', 'message').reject { |text| text.to_s.empty? }.join(': ')
      return @later ||= "#{message}: add the column to the table" if final['message'].to_s.match?(MISSING_COLUMN)

      refuse(row, message)
    end

    def refuse(row, message)
      @refused << [row, message]
      raise Again, unfit(message) if @refused.size >= MOST_REFUSED && !final?
    end

    def unfit(message)
      "#{message}: no row fits the table yet, make it as the documentation of bigQuery says"
    end

    # Whether a refusal is the row's own.
    def final?
      return true if @takes

      @refusing_since ||= now
      now - @refusing_since > PATIENCE
    end

    def conclude
      unless @refused.empty?
        if final?
          @refused.each do |row, message|
            settle(row)
            @refusals.add(message)
          end
        else
          @later ||= unfit(@refused.first.last)
        end
      end
      @refusals.report
      raise Again, @later if @later
    end

    def settle(row)
      @settled[row.id] = true
    end

    def now
      Process.clock_gettime(Process::CLOCK_MONOTONIC)
    end
  end

  # Says what is given up, at most once a minute.
  class Refusals
    EVERY = 60

    def initialize(log)
      @log = log
      @count = 0
    end

    def add(message)
      @count += 1
      @first ||= message
    end

    # Says what it has not said yet. With `all`, it does not wait for its time.
    def report(all: false)
      now = Process.clock_gettime(Process::CLOCK_MONOTONIC)
      return if @count.zero? || (!all && @said && now - @said < EVERY)

      @log.warn(
        "BigQuery will never take #{@count} rows, which are dropped. Of the first it says: #{@first}. " \
        'Make the table as the documentation of bigQuery says; what is dropped does not come again'
      )
      @said = now
      @count = 0
      @first = nil
    end
  end
end
