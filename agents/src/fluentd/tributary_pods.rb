# What the API server knows of the pods whose logs are read. This file is the same for every policy. It uses nothing of Fluentd.

require 'json'
require 'net/http'
require 'openssl'

module Tributary
  # Labels of a pod and of its namespace, and the uid that the API server has for a static pod.
  Pod = Struct.new(:labels, :namespace_labels, :uid)

  # Asks the API server for one pod at a time, because a watch of all would be one of every node on every pod. Answers are kept for a while.
  class Pods
    UNKNOWN = Pod.new({}.freeze, {}.freeze, nil).freeze
    # Labels of pods that run hardly ever change.
    LONGEST_MEMORY = 300
    # After this, the API server is asked again for a pod that it did not have, or when it did not answer.
    SHORTEST_MEMORY = 30
    # A static pod's directory is named after this; its mirror in the API server has another uid.
    MIRROR = 'kubernetes.io/config.mirror'

    # `api` gives the answer to a path: an object, nil when there is none, or an error. With `required`, no record may go on without
    # labels: the API server is asked until it answers. `give_up` says when the agent ends.
    def initialize(api, namespaces:, required:, give_up:, log:)
      @api = api
      @with_namespaces = namespaces
      @required = required
      @give_up = give_up
      @log = log
      @pods = {}
      @namespaces = {}
    end

    def get(namespace, name, uid)
      remember(@pods, [namespace, name, uid]) do
        pod = @api.get("/api/v1/namespaces/#{namespace}/pods/#{name}")
        matching(pod, uid, @with_namespaces ? namespace_labels(namespace) : {}) if pod
      end
    end

    private

    # A pod that has taken the name over is another one.
    def matching(pod, uid, namespace_labels)
      metadata = pod['metadata'] || {}
      mirrored = metadata.dig('annotations', MIRROR) == uid
      return nil unless metadata['uid'] == uid || mirrored

      Pod.new(metadata['labels'] || {}, namespace_labels, mirrored ? metadata['uid'] : nil)
    end

    def namespace_labels(name)
      remember(@namespaces, name) { @api.get("/api/v1/namespaces/#{name}")&.dig('metadata', 'labels') || {} }
    end

    def remember(known, key, &ask)
      value, ending = known[key]
      return value if ending && now < ending

      known.delete_if { |_, (_, ended)| now >= ended + LONGEST_MEMORY } if known.size > 1_000
      found = patiently(key, value, &ask)
      memory = found.nil? || found.equal?(value) ? SHORTEST_MEMORY : LONGEST_MEMORY
      known[key] = [found || UNKNOWN, now + memory]
      found || UNKNOWN
    end

    # What is known already is better than nothing.
    def patiently(key, value)
      yield
    rescue StandardError => e
      @log.warn("cannot ask the API server for #{key}: #{e.message}")
      return value if value && !value.equal?(UNKNOWN)
      return nil if !@required || @give_up.call

      sleep 1
      retry
    end

    def now
      Process.clock_gettime(Process::CLOCK_MONOTONIC)
    end
  end

  # The API server, as a pod reaches it.
  class Api
    ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount'

    def initialize(environment = ENV, account = ACCOUNT)
      @host = environment['KUBERNETES_SERVICE_HOST']
      @port = environment['KUBERNETES_SERVICE_PORT'].to_i
      @account = account
    end

    # The object at the path, or nil when there is none.
    def get(path)
      request = Net::HTTP::Get.new(path)
      # The kubelet replaces the token before it ends.
      request['Authorization'] = "Bearer #{File.read("#{@account}/token").strip}"
      response = connection.request(request)
      return JSON.parse(response.body) if response.is_a?(Net::HTTPSuccess)
      return nil if response.is_a?(Net::HTTPNotFound)

      raise "#{response.code} #{response.message}"
    rescue StandardError
      @connection&.finish if @connection&.started?
      @connection = nil
      raise
    end

    private

    def connection
      return @connection if @connection&.started?
      raise 'this is no pod: KUBERNETES_SERVICE_HOST is not set' unless @host

      @connection = Net::HTTP.new(@host, @port, nil)
      @connection.use_ssl = true
      @connection.ca_file = "#{@account}/ca.crt"
      @connection.verify_mode = OpenSSL::SSL::VERIFY_PEER
      @connection.open_timeout = 3
      @connection.read_timeout = 10
      @connection.keep_alive_timeout = 30
      @connection.start
    end
  end
end
