# Streams rows to a table of BigQuery. This file is the same for every policy.

require 'json'
require 'fluent/plugin/output'

require_relative 'tributary_bigquery'
require_relative 'tributary_google'

module Fluent
  module Plugin
    # Chunks of rows; Fluentd repeats what is raised for.
    class TributaryBigQueryOutput < Output
      Fluent::Plugin.register_output('tributary_bigquery', self)

      desc 'The ID of the project'
      config_param :project, :string
      desc 'The dataset'
      config_param :dataset, :string
      desc 'The table'
      config_param :table, :string
      desc 'The file with the key of a service account; without it, the metadata server says who the agent is'
      config_param :key_file, :string, default: nil
      desc 'Where the API is'
      config_param :api, :string, default: 'https://bigquery.googleapis.com'
      desc 'Where the metadata server is'
      config_param :metadata_server, :string, default: 'http://metadata.google.internal'

      # The least that is enough.
      SCOPE = 'https://www.googleapis.com/auth/bigquery.insertdata'

      def configure(conf)
        super
        token = Tributary::GoogleToken.new(scope: SCOPE, key_file: @key_file, metadata: @metadata_server)
        @target = Tributary::BigQueryTable.new(api: @api, project: @project, dataset: @dataset, table: @table, token: token)
        @refusals = Tributary::Refusals.new(log)
        @rows = Tributary::Rows.new(@target, @refusals)
      end

      def format(_tag, _time, record)
        "#{JSON.generate(record, max_nesting: 0)}\n"
      end

      def formatted_to_msgpack_binary?
        false
      end

      # The chunk's identifier outlives a restart, and with it the rows' own.
      def write(chunk)
        id = chunk.unique_id.unpack1('H*')
        lines = chunk.read.each_line(chomp: true).with_index
        @rows.deliver(id, lines.map { |line, at| Tributary::Row.new("#{id}-#{at}", line) })
      end

      def close
        @refusals.report(all: true)
        @target.close
        super
      end
    end
  end
end
